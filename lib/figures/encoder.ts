import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import type { WatchFiguresRequest, WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";
import { measuredKindOf } from "./subject-kind.js";

/** Something that is measured, as its collector has it. */
export interface Measured {
  readonly name: string;
  readonly part: string;
  readonly figures: readonly Figure[];
  /** In the order of the figures; whole numbers. */
  readonly values: Float64Array;
  /** Number of the sample in which a value of it changed last. */
  readonly changedAt: number;
}

/** What is measured at a moment. */
export interface Sample {
  /** Number of the sample, from 1. */
  readonly number: number;
  readonly timeMs: number;
  readonly subjects: ReadonlySet<Measured>;
}

/** Which figures somebody wants. */
export type FigureSelection = Pick<WatchFiguresRequest, "names" | "kinds" | "figures" | "parts">;

/** Numbers of values that are gone are given up when there are so many of them, and more than there are values. */
const mostGone = 10_000;

interface Sent {
  readonly number: number;
  /** Number of its first value. */
  readonly first: number;
  /** Positions of the wanted values. */
  readonly positions: readonly number[];
  readonly values: Float64Array;
}

/** What one watcher was told of a host's figures, and what is news to it. */
export class FigureEncoder {
  readonly #host: string;
  readonly #wants: (subject: Measured) => boolean;
  readonly #figures: ReadonlySet<Figure>;
  readonly #sent = new Map<Measured, Sent | undefined>();
  #subjects = 0;
  #values = 0;
  /** Values of subjects that are gone, whose numbers are kept. */
  #gone = 0;
  #sample = 0;
  #told = false;

  constructor(host: string, selection: FigureSelection) {
    this.#host = host;
    this.#wants = matcher(selection);
    this.#figures = new Set(selection.figures);
  }

  /** What is news in a sample; undefined: nothing is. The first is never undefined. */
  encode({ number, timeMs, subjects }: Sample): WatchFiguresResponse | undefined {
    if (this.#gone > mostGone && this.#gone > this.#values - this.#gone) this.#restart();
    const response: WatchFiguresResponse = {
      ...{ host: `hosts/${this.#host}`, timeMillis: BigInt(Math.round(timeMs)), anew: !this.#told, silent: "" },
      ...{ subjects: [], gone: [], steps: [], changes: [] },
    };
    const since = this.#sample;
    this.#sample = number;
    let last = -1;
    for (const subject of subjects) {
      let sent = this.#sent.get(subject);
      if (sent === undefined) {
        if (this.#sent.has(subject)) continue;
        sent = this.#add(subject, response);
        if (sent === undefined) continue;
      } else if (subject.changedAt <= since) continue;
      const { positions, values, first } = sent;
      for (const [index, position] of positions.entries()) {
        const value = subject.values[position] ?? 0;
        const before = values[index] ?? 0;
        if (value === before) continue;
        values[index] = value;
        response.steps.push(first + index - last);
        response.changes.push(BigInt(value - before));
        last = first + index;
      }
    }
    if (this.#sent.size > subjects.size) this.#forget(subjects, response);
    const isNews = !this.#told || response.subjects.length + response.gone.length + response.steps.length > 0;
    this.#told = true;
    return isNews ? response : undefined;
  }

  #add(subject: Measured, response: WatchFiguresResponse): Sent | undefined {
    const wanted = this.#wants(subject) ? subject.figures : [];
    const positions = wanted.flatMap((figure, index) =>
      this.#figures.size === 0 || this.#figures.has(figure) ? [index] : [],
    );
    if (positions.length === 0) {
      this.#sent.set(subject, undefined);
      return undefined;
    }
    const { name, part } = subject;
    const number = this.#subjects++;
    const figures = positions.flatMap((position) => subject.figures[position] ?? []);
    response.subjects.push({ number, name, part, figures });
    const sent = { number, first: this.#values, positions, values: new Float64Array(positions.length) };
    this.#values += positions.length;
    this.#sent.set(subject, sent);
    return sent;
  }

  #forget(subjects: ReadonlySet<Measured>, response: WatchFiguresResponse): void {
    for (const [subject, sent] of this.#sent) {
      if (subjects.has(subject)) continue;
      this.#sent.delete(subject);
      if (sent === undefined) continue;
      response.gone.push(sent.number);
      this.#gone += sent.positions.length;
    }
  }

  /** A watch may last for months: whoever reads it keeps no numbers of what went long ago. */
  #restart(): void {
    this.#sent.clear();
    this.#subjects = 0;
    this.#values = 0;
    this.#gone = 0;
    this.#sample = 0;
    this.#told = false;
  }
}

/** Whether something is of what is wanted. */
function matcher({ names, kinds, parts }: FigureSelection): (subject: Measured) => boolean {
  const [wantedNames, wantedKinds] = [new Set(names), new Set(kinds)];
  return ({ name, part }) => {
    if (wantedNames.size > 0 && !wantedNames.has(name)) return false;
    const kind = measuredKindOf(name) ?? "";
    if (wantedKinds.size > 0 && !wantedKinds.has(kind)) return false;
    return part === "" || parts || kind === "link" || kind === "wire";
  };
}

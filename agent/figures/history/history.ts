import { rm } from "node:fs/promises";
import type { Measured, Sample } from "../../../lib/figures/encoder.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { turn } from "../sources/source.js";
import { type ColumnGroup, Columns } from "./columns.js";
import { type Ring, RingFile } from "./ring-file.js";
import { fromSmall, nothing, toSmall } from "./small-number.js";

const minuteMs = 60_000;
const rowsAtOnce = 128;

/** Where history is kept. */
export interface HistoryOptions {
  readonly path: string;
  readonly fileMib: number;
  /** Samples and minutes that are kept; default: an hour of seconds, a day of minutes. */
  readonly rows?: readonly [number, number];
  /** Told when something of it is lost, cannot be kept, or is kept again. */
  readonly onNews: (news: HistoryNews) => void;
}

/** What people are told of history. */
export interface HistoryNews {
  readonly kind: "lost" | "stopped" | "resumed" | "full";
  readonly message: string;
}

/** A point of a figure's history. */
export interface KeptPoint {
  readonly timeMs: number;
  readonly value: number;
}

/** What figures were: each sample of the last hour, and each minute of the last day, in one file. */
export class History {
  readonly #file: RingFile;
  readonly #columns: Columns;
  readonly #onNews: HistoryOptions["onNews"];
  readonly #state: WriteState;
  /** Where each subject's kept figures are in its values. */
  readonly #places = new Map<Measured, Place>();
  /** The last row; of what has not changed it is the next one. */
  readonly #row: Uint16Array;
  /** Number of the last sample. */
  #number = 0;
  readonly #minute: Minute;
  readonly #homeless = new Set<Measured>();
  #toldFull = false;

  private constructor(parts: {
    readonly file: RingFile;
    readonly columns: Columns;
    readonly state: WriteState;
    readonly onNews: HistoryOptions["onNews"];
  }) {
    this.#file = parts.file;
    this.#columns = parts.columns;
    this.#onNews = parts.onNews;
    this.#state = parts.state;
    this.#row = new Uint16Array(parts.file.layout.columns).fill(nothing);
    this.#minute = new Minute((timeMs, values) => this.#file.append(1, timeMs, values));
  }

  /** @throws {Error} when there can be no such file. */
  static async open({ path, fileMib, rows, onNews }: HistoryOptions): Promise<History> {
    const state = new WriteState(onNews);
    const opening = {
      path,
      fileMib,
      ...(rows === undefined ? {} : { rows }),
      onWritten: (error: unknown) => state.written(error),
    };
    let opened = await RingFile.open(opening);
    let columns = new Columns(opened.file.layout.columns);
    if (opened.list !== undefined && !columns.load(opened.list)) {
      await opened.file.close();
      await rm(path, { force: true });
      opened = {
        ...(await RingFile.open(opening)),
        lost: "the list in the file of figures cannot be read; it begins anew",
      };
      columns = new Columns(opened.file.layout.columns);
    }
    if (opened.lost !== "") onNews({ kind: "lost", message: opened.lost });
    const history = new History({ file: opened.file, columns, state, onNews });
    await history.#takeUpMinute();
    return history;
  }

  /** Keeps a sample. Never waits. */
  record({ number, timeMs, subjects }: Sample): void {
    let isNew = false;
    for (const [subject, { group }] of this.#places) {
      if (subjects.has(subject)) continue;
      this.#places.delete(subject);
      this.#row.fill(nothing, group.first, group.first + group.figures.length);
    }
    for (const subject of this.#homeless) if (!subjects.has(subject)) this.#homeless.delete(subject);
    for (const subject of subjects) if (!this.#places.has(subject)) isNew = this.#place(subject, timeMs) || isNew;
    if (isNew) this.#writeList();
    const since = this.#number;
    this.#number = number;
    for (const [subject, place] of this.#places) {
      const { group, positions } = place;
      group.lastMs = timeMs;
      if (place.isSet && subject.changedAt <= since) continue;
      place.isSet = true;
      for (let index = 0; index < positions.length; index++)
        this.#row[group.first + index] = toSmall(subject.values[positions[index] ?? 0] ?? 0);
    }
    const row = this.#row.subarray(0, this.#columns.width);
    this.#file.append(0, timeMs, row);
    if (this.#minute.add(timeMs, row)) this.#writeList();
  }

  /** What is kept of a resource; of one that is gone too. */
  groupsOf(name: string): readonly ColumnGroup[] {
    return this.#columns.ofName(name);
  }

  /** Whether anything is kept of a resource. */
  knows(name: string): boolean {
    return this.groupsOf(name).length > 0;
  }

  /** Points between two times, the oldest first: by the minute where seconds are kept no more. */
  async read(group: ColumnGroup, range: { readonly startMs: number; readonly endMs: number }): Promise<Points> {
    const startMs = Math.max(range.startMs, group.sinceMs);
    const fine = this.#placesIn(0, { startMs, endMs: range.endMs });
    const oldestMs = this.#file
      .times(0)
      .reduce((least, time) => (time < least ? time : least), Number.POSITIVE_INFINITY);
    const coarse = this.#placesIn(1, { startMs, endMs: Math.min(range.endMs, oldestMs) });
    const points: Points = new Map(group.figures.map((figure) => [figure, []]));
    await this.#collect(1, coarse, { group, points });
    await this.#collect(0, fine, { group, points });
    return points;
  }

  /** Resolves when everything is written that was recorded. */
  async written(): Promise<void> {
    await this.#file.written();
  }

  async close(): Promise<void> {
    this.#writeList();
    await this.#file.close();
  }

  /** Says whether the list has changed. */
  #place(subject: Measured, nowMs: number): boolean {
    const ensured = this.#homeless.has(subject) ? undefined : this.#columns.ensure(subject, nowMs);
    if (ensured === undefined) {
      if (!this.#homeless.has(subject) && !this.#toldFull) this.#tellFull(subject);
      this.#homeless.add(subject);
      return false;
    }
    const { group, isNew } = ensured;
    const positions = group.figures.map((figure) => subject.figures.indexOf(figure));
    this.#places.set(subject, { group, positions, isSet: false });
    return isNew;
  }

  #tellFull({ name }: Measured): void {
    this.#toldFull = true;
    const message = `the file of figures has no room for ${name} and others: their history is not kept; set figuresMib to more`;
    this.#onNews({ kind: "full", message });
  }

  #writeList(): void {
    if (!this.#file.writeList(this.#columns.toText()) && !this.#toldFull) {
      this.#toldFull = true;
      const message = "the file of figures has no room for all names: new ones are not kept; set figuresMib to more";
      this.#onNews({ kind: "full", message });
    }
  }

  /** What was sampled of the minute in which the agent ended counts in it. */
  async #takeUpMinute(): Promise<void> {
    const newest = (times: Float64Array): number =>
      times.reduce((most, time) => (time > most ? time : most), Number.NEGATIVE_INFINITY);
    const since = Math.max(newest(this.#file.times(1)) + minuteMs, newest(this.#file.times(0)) - minuteMs);
    for (const place of this.#placesIn(0, { startMs: since, endMs: Number.POSITIVE_INFINITY })) {
      const row = await this.#file.readRow(0, place, 0, this.#columns.width);
      const timeMs = this.#file.times(0)[place] ?? 0;
      if (row !== undefined) this.#minute.add(timeMs, row);
    }
  }

  /** Places of rows between two times, the oldest first. */
  #placesIn(ring: Ring, { startMs, endMs }: { readonly startMs: number; readonly endMs: number }): readonly number[] {
    const times = this.#file.times(ring);
    const places: number[] = [];
    for (const [place, time] of times.entries()) if (time >= startMs && time <= endMs) places.push(place);
    return places.sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0));
  }

  async #collect(
    ring: Ring,
    places: readonly number[],
    { group, points }: { readonly group: ColumnGroup; readonly points: Points },
  ): Promise<void> {
    const { first, figures } = group;
    for (let begin = 0; begin < places.length; begin += rowsAtOnce) {
      const some = places.slice(begin, begin + rowsAtOnce);
      const times = some.map((place) => this.#file.times(ring)[place] ?? 0);
      const rows = await Promise.all(some.map((place) => this.#file.readRow(ring, place, first, figures.length)));
      for (const [index, row] of rows.entries()) {
        for (const [column, figure] of figures.entries()) {
          const value = fromSmall(row?.[column] ?? nothing);
          if (value !== undefined) points.get(figure)?.push({ timeMs: times[index] ?? 0, value });
        }
      }
      await turn();
    }
  }

  /** Why it is not kept now; "": it is. */
  get trouble(): string {
    return this.#state.trouble;
  }
}

/** Where something that is measured is in the rows. */
interface Place {
  readonly group: ColumnGroup;
  /** Of its kept figures among its values. */
  readonly positions: readonly number[];
  /** The row has its values. */
  isSet: boolean;
}

/** Points by figure. */
export type Points = Map<Figure, KeptPoint[]>;

/** Averages of a minute. */
class Minute {
  readonly #write: (timeMs: number, values: Uint16Array) => void;
  #beginMs = Number.NaN;
  #sums = new Float64Array(0);
  #counts = new Uint16Array(0);

  constructor(write: (timeMs: number, values: Uint16Array) => void) {
    this.#write = write;
  }

  /** Adds a row; says whether a minute has ended with it. */
  add(timeMs: number, row: Uint16Array): boolean {
    const beginMs = Math.floor(timeMs / minuteMs) * minuteMs;
    const isOver = beginMs !== this.#beginMs && !Number.isNaN(this.#beginMs);
    if (isOver) this.#flush();
    this.#beginMs = beginMs;
    if (this.#sums.length < row.length) {
      const [sums, counts] = [this.#sums, this.#counts];
      this.#sums = new Float64Array(row.length);
      this.#counts = new Uint16Array(row.length);
      this.#sums.set(sums);
      this.#counts.set(counts);
    }
    for (let index = 0; index < row.length; index++) {
      const value = fromSmall(row[index] ?? nothing);
      if (value === undefined) continue;
      this.#sums[index] = (this.#sums[index] ?? 0) + value;
      this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    }
    return isOver;
  }

  #flush(): void {
    const values = new Uint16Array(this.#sums.length);
    for (let index = 0; index < values.length; index++) {
      const count = this.#counts[index] ?? 0;
      values[index] = count === 0 ? nothing : toSmall((this.#sums[index] ?? 0) / count);
    }
    this.#write(this.#beginMs, values);
    this.#sums.fill(0);
    this.#counts.fill(0);
  }
}

/** Whether history can be written, told when it changes. */
class WriteState {
  readonly #onNews: HistoryOptions["onNews"];
  trouble = "";

  constructor(onNews: HistoryOptions["onNews"]) {
    this.#onNews = onNews;
  }

  written(error: unknown): void {
    const trouble = error === undefined ? "" : error instanceof Error ? error.message : String(error);
    const before = this.trouble;
    this.trouble = trouble;
    if (trouble !== "" && before === "")
      this.#onNews({
        kind: "stopped",
        message: `the history of figures cannot be written: ${trouble}; it goes on when it can`,
      });
    if (trouble === "" && before !== "")
      this.#onNews({ kind: "resumed", message: "the history of figures is written again" });
  }
}

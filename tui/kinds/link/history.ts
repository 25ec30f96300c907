import { toMs } from "../../../lib/duration.js";
import { type Link, LinkState, type LinkStatus } from "../../../proto/gen/zor/v1/link.js";
import type { FleetView } from "../../kit/fleet/fleet-view.js";
import type { Follower } from "../../kit/fleet/follower.js";
import type { Row } from "../../kit/row.js";

/** One sample a second, for two minutes. */
const sampleMs = 1000;
/** Samples kept of each figure. */
const historyLength = 120;

/** Figures whose course is kept. */
export const historyFigures = ["rttMs", "aToBBps", "bToABps", "lossRatio"] as const;

/** A figure whose course is kept. */
export type HistoryFigure = (typeof historyFigures)[number];

type Figures = Readonly<Record<HistoryFigure, number>>;

/** No figure is known: the link carries nothing, or the hub is away. */
const unknown: Figures = { rttMs: Number.NaN, aToBBps: Number.NaN, bToABps: Number.NaN, lossRatio: Number.NaN };

/**
 * The course of one link's figures in constant space. The watch tells changes only: between two of them the figures are
 * taken to stay as they were.
 */
class Course {
  readonly #rings = Object.fromEntries(
    historyFigures.map((figure) => [figure, new Float32Array(historyLength).fill(Number.NaN)]),
    // Object.fromEntries forgets the keys it was given.
  ) as Record<HistoryFigure, Float32Array>;
  #slot: number;
  #figures = unknown;
  #holds = true;

  constructor(nowMs: number) {
    this.#slot = slotOf(nowMs);
  }

  note(figures: Figures, nowMs: number): void {
    this.#advance(nowMs);
    this.#figures = figures;
    this.#write();
  }

  /** With `false` the figures are unknown until it is called with `true`. */
  hold(holds: boolean, nowMs: number): void {
    this.#advance(nowMs);
    this.#holds = holds;
  }

  read(figure: HistoryFigure, nowMs: number): readonly number[] {
    this.#advance(nowMs);
    const ring = this.#rings[figure];
    const oldest = (this.#slot + 1) % historyLength;
    return [...ring.subarray(oldest), ...ring.subarray(0, oldest)];
  }

  #advance(nowMs: number): void {
    const slot = slotOf(nowMs);
    // Of a longer gap only the newest samples are ever seen.
    this.#slot = Math.max(this.#slot, slot - historyLength);
    while (this.#slot < slot) {
      this.#slot += 1;
      this.#write();
    }
  }

  #write(): void {
    const figures = this.#holds ? this.#figures : unknown;
    for (const figure of historyFigures) this.#rings[figure][this.#slot % historyLength] = figures[figure];
  }
}

/** The course of every link's figures over the last two minutes, sampled from what the watch tells. */
export class LinkHistory implements Follower<Link> {
  readonly #courses = new Map<string, Course>();
  #holds = true;

  note({ name, resource: { status } }: Pick<Row<Link>, "name" | "resource">, nowMs: number): void {
    let course = this.#courses.get(name);
    if (course === undefined) {
      course = new Course(nowMs);
      this.#courses.set(name, course);
    }
    course.note(figuresOf(status), nowMs);
  }

  forget(name: string): void {
    this.#courses.delete(name);
  }

  /** Whether what was told last still holds: not while the hub is away. */
  hold(holds: boolean, nowMs: number): void {
    if (holds === this.#holds) return;
    this.#holds = holds;
    for (const course of this.#courses.values()) course.hold(holds, nowMs);
  }

  /** A sample for each of the last 120 seconds, the oldest first; NaN where nothing is known. */
  read(name: string, figure: HistoryFigure, nowMs: number): readonly number[] {
    return this.#courses.get(name)?.read(figure, nowMs) ?? [];
  }
}

/** The course of the links of a fleet; undefined when nothing follows them. */
export function historyOf(fleet: FleetView): LinkHistory | undefined {
  const follower = fleet.followerOf("link");
  return follower instanceof LinkHistory ? follower : undefined;
}

function figuresOf(status: LinkStatus | undefined): Figures {
  if (status?.state !== LinkState.LINK_STATE_ACTIVE && status?.state !== LinkState.LINK_STATE_DEGRADED) return unknown;
  return {
    rttMs: status.rtt === undefined ? Number.NaN : toMs(status.rtt),
    aToBBps: Number(status.aToBBps),
    bToABps: Number(status.bToABps),
    lossRatio: status.lossRatio,
  };
}

function slotOf(nowMs: number): number {
  return Math.floor(nowMs / sampleMs);
}

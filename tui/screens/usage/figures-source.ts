import type { Watched } from "../../../lib/figures/decoder.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import type { Busy } from "../../kit/busy/busy.js";

/** What is used now, as it is known. */
export interface SeenFigures {
  readonly all: Iterable<Watched>;
  /** What is wrong, for people; "": nothing is. */
  readonly trouble: string;
}

/** Where figures come from. */
export interface FiguresSource {
  /** Tells of them each second until the signal aborts, over every loss of the connection. @throws {ZorError} when they cannot be watched. */
  watch(onNews: (seen: SeenFigures) => void, signal: AbortSignal): Promise<void>;
  /**
   * Tells who uses the most of these figures together, and what all use, every few seconds until the signal aborts, over every loss of the
   * connection. @throws {ZorError} when they cannot be watched.
   */
  watchBusiest(figures: readonly Figure[], onNews: (busy: Busy) => void, signal: AbortSignal): Promise<void>;
  /** What a resource used in a time. @throws {ZorError} when it cannot be read. */
  readHistory(
    name: string,
    range: { readonly startMs: number; readonly endMs: number; readonly maxPoints: number },
    signal: AbortSignal,
  ): Promise<readonly FigureHistory[]>;
}

import type { Watched } from "../../../lib/figures/decoder.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";

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
  /** What a resource used in a time. @throws {ZorError} when it cannot be read. */
  readHistory(
    name: string,
    range: { readonly startMs: number; readonly endMs: number; readonly maxPoints: number },
    signal: AbortSignal,
  ): Promise<readonly FigureHistory[]>;
}

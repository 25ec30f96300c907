import type { Watched } from "../../../lib/figures/decoder.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import type { Busy } from "../../kit/busy/busy.js";
import type { Ranked, RankLook } from "../../kit/usage/ranking.js";

/** What is used now, as it is known. */
export interface SeenFigures {
  readonly all: Iterable<Watched>;
  /** Hosts ("hosts/alpha") that told something, with why nothing comes of them any more; "": it does. */
  readonly hosts: ReadonlyMap<string, { readonly silent: string }>;
  /** What is wrong, for people; "": nothing is. */
  readonly trouble: string;
  /** Nothing comes at all. */
  readonly isLost: boolean;
}

/** Which figures, of what. */
export interface WantedFigures {
  /** Names of resources, at most 256. */
  readonly names: readonly string[];
  readonly figures: readonly Figure[];
}

/** Where figures come from. */
export interface FiguresSource {
  /**
   * Tells of them as they change, every few seconds until the signal aborts, over every loss of the connection.
   * @throws {ZorError} when they cannot be watched.
   */
  watch(wanted: WantedFigures, onNews: (seen: SeenFigures) => void, signal: AbortSignal): Promise<void>;
  /**
   * Tells of a window over what is measured, in an order, every few seconds until the signal aborts, over every loss of the connection.
   * @throws {ZorError} when it cannot be watched.
   */
  watchRanked(look: RankLook, onNews: (ranked: Ranked) => void, signal: AbortSignal): Promise<void>;
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

import type { IdleFigures } from "./idle.js";
import type { MissingPath, PathName } from "./path.js";
import type { TcpFigures } from "./traffic.js";

/** What one path gave in one round; undefined: not measured. */
export interface PathRound {
  readonly tcp1Forward?: TcpFigures;
  readonly tcp1Reverse?: TcpFigures;
  readonly tcp4Forward?: TcpFigures;
  readonly tcp4Reverse?: TcpFigures;
  /** 64-byte frames received in a second. */
  readonly framesPerSecond?: number;
  /** Median at rest. */
  readonly rttMs?: number;
}

/** Everything a run has measured. */
export interface BenchResults {
  readonly machine: {
    readonly cores: number;
    readonly model: string;
    readonly kernel: string;
    readonly date: string;
    /** Cores' share that others kept busy before the run. */
    readonly busyBefore: number;
    /** Congestion control of the streams that are measured, "bbr": it decides more than the processor, see docs/benchmarks.md. */
    readonly congestion: string;
  };
  /** Rounds of each path that was measured, in order. */
  readonly rounds: ReadonlyMap<PathName, readonly PathRound[]>;
  readonly missing: readonly MissingPath[];
  readonly idle: readonly IdleFigures[];
}

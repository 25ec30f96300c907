import type { ContainerHealth } from "../../proto/gen/zor/v1/crun.js";
import type { RecoveryHandle } from "./driver-instance.js";

/** State of an instance as its runtime tells it. */
export type ObservedState = "stopped" | "running" | "paused" | "failed" | "unknown";

/** How a run ended, as a driver knows it; the instance layer adds when, and who asked for it. */
export type RunEnd =
  | { readonly kind: "guest-shutdown" | "guest-panic" | "watchdog" | "runtime-error" | "unknown" }
  | { readonly kind: "exit-code"; readonly exitCode: number }
  | { readonly kind: "signal"; readonly signal: number }
  /** `limitMib` undefined: there is none, or it is not known. `signal` and `exitCode` of the process that was ended first. */
  | {
      readonly kind: "out-of-memory" | "host-out-of-memory";
      readonly limitMib: number | undefined;
      readonly signal?: number;
      readonly exitCode?: number;
    };

/** What a driver observes of an instance. */
export interface Observation {
  readonly state: ObservedState;
  /** For people; empty when there is nothing to say. */
  readonly reason: string;
  /** Of an instance that has ended and was not stopped: how. */
  readonly end?: RunEnd | undefined;
  /** 0 when not running. */
  readonly pid: number;
  /** When the process began; undefined when not running. */
  readonly startTime: Date | undefined;
  /** "kvm", "tcg" or "". */
  readonly accelerator: string;
  /** Commands can be run inside. */
  readonly execReady: boolean;
  /** It runs on as another process than its handle's: somebody restarted it behind the agent's back. Its interfaces are then connected. */
  readonly successor?: RecoveryHandle;
  /** It runs, but nothing has been seen or heard of a guest for too long; the reason says so. Default: no. */
  readonly isSilent?: boolean;
  /** Memory in MiB that its balloon leaves it; undefined: it has none, or does not run. */
  readonly balloonMib?: number | undefined;
  /** What its health check says; undefined: it has none, or does not run. */
  readonly health?: ContainerHealth | undefined;
}

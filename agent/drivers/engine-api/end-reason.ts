import { describeExit, signalNameOf } from "../containers/exit-words.js";
import type { RunEnd } from "../driver.js";
import type { EngineContainer } from "./container-state.js";

/** Why a container does not run, for people; "" when there is nothing to say. @param limitMib what its memory was limited to. */
export function describeEnd({ State: state }: EngineContainer, limitMib: number): string {
  const how = `its first process ${describeExit(state.ExitCode)}`;
  // Engines tell an exit code of a container that could not even be started.
  if (state.Error !== "") return `it could not be run: ${state.Error.slice(0, 300)}`;
  if (state.OOMKilled)
    return `out of memory (OOM): it reached its limit of ${limitMib} MiB, and the kernel ended a process of it; ${how}`;
  return state.ExitCode === 0 ? "" : how;
}

/** The same for programs. */
export function toEngineEnd(
  { State: { OOMKilled: isOom, ExitCode: exitCode } }: EngineContainer,
  limitMib: number,
): RunEnd {
  const how = signalNameOf(exitCode - 128) === undefined ? { exitCode } : { signal: exitCode - 128 };
  if (isOom) return { kind: "out-of-memory", limitMib, ...how };
  if ("signal" in how) return { kind: "signal", signal: how.signal };
  return exitCode === 0 ? { kind: "guest-shutdown" } : { kind: "exit-code", exitCode };
}

import { z } from "zod";
import { EndKind, type InstanceEnd } from "../../../proto/gen/zor/v1/instance.js";
import type { Observation, RunEnd } from "../../drivers/driver.js";

/** How the last run of an instance ended, or why it could not be started. */
export type LastEnd = Omit<InstanceEnd, "time"> & { readonly time: Date };

/** What is known of an end besides what its driver saw. */
export interface EndContext {
  readonly time: Date;
  /** Who asked for it; undefined: nobody did. */
  readonly requestedBy: string | undefined;
}

/** What else may end a run, or keep it from beginning. */
type OtherEnd = "requested" | "host-restart" | "start-failed" | "suspended";

const kinds: Readonly<Record<RunEnd["kind"] | OtherEnd, EndKind>> = {
  requested: EndKind.END_KIND_REQUESTED,
  "guest-shutdown": EndKind.END_KIND_GUEST_SHUTDOWN,
  "exit-code": EndKind.END_KIND_EXIT_CODE,
  signal: EndKind.END_KIND_SIGNAL,
  "out-of-memory": EndKind.END_KIND_OUT_OF_MEMORY,
  "host-out-of-memory": EndKind.END_KIND_HOST_OUT_OF_MEMORY,
  "guest-panic": EndKind.END_KIND_GUEST_PANIC,
  watchdog: EndKind.END_KIND_WATCHDOG,
  "runtime-error": EndKind.END_KIND_RUNTIME_ERROR,
  unknown: EndKind.END_KIND_UNSPECIFIED,
  "host-restart": EndKind.END_KIND_HOST_RESTART,
  "start-failed": EndKind.END_KIND_START_FAILED,
  suspended: EndKind.END_KIND_SUSPENDED,
};

/** The end of a run that was observed; pure. What somebody asked for is that, unless it failed on the way. */
export function toLastEnd(observation: Observation, { time, requestedBy }: EndContext): LastEnd {
  const { state, reason, end } = observation;
  if (requestedBy !== undefined && state !== "failed") {
    return otherEnd("requested", { text: withRequest(reason, requestedBy), time, requestedBy });
  }
  const told = end ?? { kind: "unknown" };
  return {
    ...otherEnd(told.kind, { text: reason === "" ? "it ended by itself" : reason, time }),
    ...("exitCode" in told && told.exitCode !== undefined ? { exitCode: told.exitCode } : {}),
    ...("signal" in told && told.signal !== undefined ? { signal: told.signal } : {}),
    ...("limitMib" in told && told.limitMib !== undefined ? { memoryLimitMib: BigInt(told.limitMib) } : {}),
  };
}

/** An end that no driver has seen; pure. */
export function otherEnd(
  kind: RunEnd["kind"] | OtherEnd,
  { text, time, requestedBy = "" }: { readonly text: string; readonly time: Date; readonly requestedBy?: string },
): LastEnd {
  return { kind: kinds[kind], time, text, exitCode: undefined, signal: 0, memoryLimitMib: 0n, requestedBy };
}

/** "zor://user/ana" asked, or the agent itself. */
function withRequest(reason: string, requestedBy: string): string {
  const who = requestedBy === "" ? "this was asked for" : `${requestedBy} asked for it`;
  return reason === "" ? who : `${reason}; ${who}`;
}

const schema = z.object({
  kind: z.int().min(0).max(1000),
  time: z.iso.datetime(),
  text: z.string(),
  exitCode: z.int().optional(),
  signal: z.int(),
  memoryLimitMib: z.string().regex(/^\d{1,18}$/),
  requestedBy: z.string(),
});

/** An end in the form in which it is kept on disk. */
export function formatLastEnd({ time, memoryLimitMib, ...end }: LastEnd): object {
  return { ...end, time: time.toISOString(), memoryLimitMib: String(memoryLimitMib) };
}

/** Reads what {@link formatLastEnd} made; undefined for anything else. */
export function parseLastEnd(value: unknown): LastEnd | undefined {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return undefined;
  const { time, memoryLimitMib, exitCode, ...end } = parsed.data;
  return { ...end, exitCode, time: new Date(time), memoryLimitMib: BigInt(memoryLimitMib) };
}

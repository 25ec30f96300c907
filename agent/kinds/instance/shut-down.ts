import { constants } from "node:os";
import { failedPrecondition } from "../../../lib/errors.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { EndKind } from "../../../proto/gen/zor/v1/instance.js";
import { type Asking, askUntilEnded } from "./ask-until-ended.js";
import type { LastEnd } from "./last-end.js";

/** How a guest is asked to shut down, and for how long. */
export interface ShuttingDown extends Asking {
  /** It is asked no more. */
  readonly giveUp: () => Promise<void>;
  /** How it has ended. */
  readonly lastEnd: () => Pick<LastEnd, "kind" | "signal" | "text"> | undefined;
  readonly timeoutMs: number;
}

/** Ends that no guest brings about by shutting down. */
const violent: ReadonlySet<EndKind> = new Set([
  EndKind.END_KIND_OUT_OF_MEMORY,
  EndKind.END_KIND_HOST_OUT_OF_MEMORY,
  EndKind.END_KIND_GUEST_PANIC,
  EndKind.END_KIND_WATCHDOG,
  EndKind.END_KIND_RUNTIME_ERROR,
]);

/**
 * Asks a guest to shut down until it has ended.
 * @throws {ZorError} FAILED_PRECONDITION when it does not within `timeoutMs`, it then runs on; or when something else ended it.
 */
export async function shutDownGuest(
  name: string,
  { giveUp, lastEnd, timeoutMs, signal, ...asking }: ShuttingDown,
): Promise<void> {
  const until = AbortSignal.any([signal, timeLimit(timeoutMs)]);
  const { ended, asked } = await askUntilEnded({ ...asking, signal: until });
  await giveUp();
  if (ended) {
    const end = lastEnd();
    if (end === undefined || !isViolent(end)) return;
    const remedy = "what the guest had not written is lost; start it again with: zor start";
    throw failedPrecondition(
      "DID_NOT_SHUT_DOWN",
      name,
      `${name} ended before it had shut down: ${end.text}; ${remedy}`,
    );
  }
  signal.throwIfAborted();
  throw failedPrecondition(
    "GUEST_DID_NOT_SHUT_DOWN",
    name,
    `${name} did not end within ${timeoutMs / 1000} s, though it was asked ${asked} times; end it at once with: zor stop`,
  );
}

function isViolent({ kind, signal }: Pick<LastEnd, "kind" | "signal">): boolean {
  return violent.has(kind) || (kind === EndKind.END_KIND_SIGNAL && signal === constants.signals.SIGKILL);
}

import { failedPrecondition } from "../../../lib/errors.js";
import { type Asking, askUntilEnded } from "./ask-until-ended.js";

/** How a guest is asked to shut down, and for how long. */
export interface ShuttingDown extends Asking {
  /** It is asked no more. */
  readonly giveUp: () => Promise<void>;
  readonly timeoutMs: number;
}

/**
 * Asks a guest to shut down until it has ended.
 * @throws {ZorError} FAILED_PRECONDITION when it does not within `timeoutMs`; it then runs on.
 */
export async function shutDownGuest(
  name: string,
  { giveUp, timeoutMs, signal, ...asking }: ShuttingDown,
): Promise<void> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { ended, asked } = await askUntilEnded({ ...asking, signal: until });
  await giveUp();
  if (ended) return;
  signal.throwIfAborted();
  throw failedPrecondition(
    "GUEST_DID_NOT_SHUT_DOWN",
    name,
    `${name} did not end within ${timeoutMs / 1000} s, though it was asked ${asked} times; end it at once with: zor stop`,
  );
}

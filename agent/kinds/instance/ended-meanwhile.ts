import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { RecoveryHandle } from "../../drivers/driver.js";
import { asFailure } from "../../kit/failure.js";
import { hasEnded, type InstanceRecord, shortNameOf, toDriverInstance } from "./record.js";

/** A connection into a process closes a little before its end can be read. */
const [looks, lookAgainMs] = [10, 100] as const;

/**
 * What went wrong with work at an instance, as clients are told it: as {@link asFailure} has it, and where the run that was worked with has
 * ended meanwhile, how it ended. What was lost on the way to it is only what follows from that.
 * @param handle of the run that was worked with; undefined: it did not run.
 */
export async function asFailureOf(
  record: InstanceRecord,
  handle: RecoveryHandle | undefined,
  { error, action }: { readonly error: unknown; readonly action: string },
): Promise<unknown> {
  return await orEnd(record, handle, { failure: asFailure(error, record.stored.resource.name, action), action });
}

/** The failure, or how the run ended meanwhile, when it may be for want of it. See {@link asFailureOf}. */
export async function orEnd(
  record: InstanceRecord,
  handle: RecoveryHandle | undefined,
  { failure, action }: { readonly failure: unknown; readonly action: string },
): Promise<unknown> {
  const { name } = record.stored.resource;
  if (handle === undefined || !(failure instanceof ZorError) || failure.code !== status.UNAVAILABLE) return failure;
  const end = await findEnd(record, handle);
  if (end === undefined) return failure;
  const why = end === "" ? "" : `: ${end}`;
  // Whoever wanted its end has it.
  const remedy = action === "stop" ? "" : `; start it again with: zor start ${shortNameOf(record)}`;
  return failedPrecondition("ENDED_MEANWHILE", name, `could not ${action} ${name}: it ended meanwhile${why}${remedy}`);
}

/** How the run ended, perhaps in no words; undefined while it goes on, or another has begun. */
async function findEnd(record: InstanceRecord, handle: RecoveryHandle): Promise<string | undefined> {
  for (let look = 0; look < looks; look += 1) {
    // Whoever observes it has seen it, and may still be putting away what it had; how it ended is noted before that.
    if (record.handle === undefined)
      return hasEnded(record.observation.state) ? record.observation.reason : (record.lastEnd?.text ?? "");
    if (record.handle !== handle) return undefined;
    try {
      const signal = uninterrupted;
      const { state, reason, successor } = await record.driver.inspect(toDriverInstance(record), handle, { signal });
      if (successor !== undefined) return undefined;
      if (hasEnded(state)) return reason;
    } catch {
      // That it cannot be looked at is told elsewhere; what went wrong here is the failure itself.
      return undefined;
    }
    await delay(lookAgainMs);
  }
  return undefined;
}

import { status } from "@grpc/grpc-js";
import { pause } from "../../../../lib/backoff.js";
import { ZorError } from "../../../../lib/errors.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import { type JsonObject, numberOf, objectsIn, textOf } from "../json.js";
import { type BlockEngine, ownPrefix, slowCommandMs } from "./block-engine.js";

/** How jobs are followed. */
export interface FollowOptions {
  /** Resource name for errors. */
  readonly resource: string;
  readonly signal: AbortSignal;
  /** Told how much is done, 0 to 1. */
  readonly onProgress?: (done: number) => void;
  /** Looks now and then whether to go on. @throws {ZorError} when not. */
  readonly guard?: (() => Promise<void>) | undefined;
  /** The state of jobs that is waited for; default "concluded", and then they are dismissed. */
  readonly until?: "ready" | "pending" | "concluded";
}

const [firstPollMs, lastPollMs] = [10, 250];
/** A cancelled job ends with the write that is under way. */
const cancelMs = 60_000;

/**
 * Waits until jobs of QEMU have concluded, or are as far as is said, and dismisses them; all or none: when one fails, or the signal aborts, the others are cancelled.
 * @throws {ZorError} with QEMU's words; RESOURCE_EXHAUSTED when the disk is full.
 */
export async function followJobs(engine: BlockEngine, jobs: readonly string[], options: FollowOptions): Promise<void> {
  const { signal, onProgress, until = "concluded" } = options;
  try {
    for (let waitMs = firstPollMs; ; waitMs = Math.min(lastPollMs, waitMs * 2)) {
      signal.throwIfAborted();
      // Saving a machine's memory holds up all answers for as long.
      const own = (await jobsOf(engine)).filter((job) => jobs.includes(textOf(job, "id")));
      const failed = own.find((job) => textOf(job, "error") !== "");
      if (failed !== undefined) throw toFailure(textOf(failed, "error"), options.resource);
      onProgress?.(shareDone(own));
      const isEarly = until !== "concluded" && own.some((job) => textOf(job, "status") === "concluded");
      if (isEarly || own.length < jobs.length) throw toFailure("a job has ended early", options.resource);
      if (own.every((job) => textOf(job, "status") === until)) break;
      await options.guard?.();
      await pause(waitMs, signal);
    }
  } catch (error) {
    await endJobs(engine, jobs).catch(() => undefined);
    throw error;
  }
  if (until !== "concluded") return;
  for (const id of jobs) await engine.execute("job-dismiss", { id });
}

/** Cancels jobs where they still run and forgets them. Resolves to those that there were. */
export async function endJobs(engine: BlockEngine, wanted?: readonly string[]): Promise<readonly string[]> {
  const isWanted = (job: JsonObject) =>
    wanted === undefined ? textOf(job, "id").startsWith(ownPrefix) : wanted.includes(textOf(job, "id"));
  const found = (await jobsOf(engine)).filter(isWanted).map((job) => textOf(job, "id"));
  const deadline = performance.now() + cancelMs;
  for (let left = found; left.length > 0 && performance.now() < deadline; ) {
    const jobs = (await jobsOf(engine)).filter((job) => left.includes(textOf(job, "id")));
    for (const job of jobs) {
      const id = textOf(job, "id");
      const isOver = textOf(job, "status") === "concluded";
      // It may conclude between the look and the command.
      await engine.execute(isOver ? "job-dismiss" : "job-cancel", { id }, slowCommandMs).catch(() => undefined);
    }
    left = jobs.map((job) => textOf(job, "id"));
    if (left.length > 0) await pause(firstPollMs, uninterrupted);
  }
  return found;
}

async function jobsOf(engine: BlockEngine): Promise<readonly JsonObject[]> {
  return objectsIn(await engine.execute("query-jobs", {}, slowCommandMs));
}

function shareDone(jobs: readonly JsonObject[]): number {
  const sum = (member: string) => jobs.reduce((total, job) => total + (numberOf(job, member) ?? 0), 0);
  const total = sum("total-progress");
  return total === 0 ? 0 : sum("current-progress") / total;
}

function toFailure(said: string, resource: string): ZorError {
  const isFull = /No space left|Disk quota exceeded/.test(said);
  return new ZorError({
    reason: isFull ? "DISK_FULL" : "BLOCK_JOB_FAILED",
    code: isFull ? status.RESOURCE_EXHAUSTED : status.ABORTED,
    message: isFull
      ? `${resource}: the disk of the host is full; free some space and try again`
      : `${resource}: QEMU could not do it: ${said.slice(0, 500)}`,
    resource,
  });
}

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../../lib/backoff.js";
import { unavailable } from "../../../lib/errors.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { startDaemon } from "../../host/exec.js";
import { giveBack, type PhyOwner } from "./give-back.js";
import { type PhyRecord, PhyRecords, recordsDirectory } from "./phy-record.js";

/** What a guardian is told. */
export interface GuardianOptions extends PhyOwner {
  /** State directory of the agent. */
  readonly state: string;
  readonly uid: string;
}

/** An interface that nobody confirmed goes back this long after the time that was said, so that no confirmation comes between. */
export const graceMs = 1000;
const pollMs = 250;
const startMs = 20_000;

/** Gives back what nobody confirmed, and writes that down before. Idempotent. @throws {ZorError} */
export async function rollBack(records: PhyRecords, owner: PhyOwner, record: PhyRecord): Promise<PhyRecord> {
  const rolledBack = `nobody confirmed it in time, so ${record.device} was given back`;
  await records.write({ ...record, rolledBack });
  const { lost } = await giveBack(owner, record);
  const done = { ...record, rolledBack, facts: undefined, lost: [...lost] };
  await records.write(done);
  return done;
}

/**
 * Starts a process of its own that rolls an interface back unless it is confirmed in time, whatever becomes of the agent.
 * Resolves once it looks after it. @throws {ZorError} UNAVAILABLE
 */
export async function startGuardian(options: GuardianOptions, name: string): Promise<void> {
  const { state, uid, netns, agentUid } = options;
  const mark = markPath(state, uid);
  await rm(mark, { force: true });
  const argv = [programPath("agent"), "agent", "guard-phy", "--state", state, "--switch", netns];
  const ids = ["--agent-uid", agentUid, "--uid", uid];
  let ended = false;
  await startDaemon(nodePath, [...argv, ...ids], {
    logFile: join(recordsDirectory(state), `${uid}.log`),
    onExit: () => {
      ended = true;
    },
  });
  for (const deadline = performance.now() + startMs; performance.now() < deadline && !ended; ) {
    if (await isWritten(mark)) return;
    await pause(pollMs / 5, new AbortController().signal);
  }
  throw unavailable("GUARDIAN_FAILED", name, `${name}: the process that would give it back by itself did not start`);
}

/** What the guardian does, until the interface is confirmed or given back. */
export async function guardPhy({ state, uid, ...owner }: GuardianOptions): Promise<void> {
  const records = new PhyRecords(recordsDirectory(state));
  const never = new AbortController().signal;
  // Not by the clock alone: somebody may set that.
  let leftMs: number | undefined;
  let last = performance.now();
  try {
    await writeFile(markPath(state, uid), `${process.pid}\n`, { mode: 0o600 });
    for (;;) {
      const record = await records.find(uid).catch(() => undefined);
      if (record?.confirmByMs === undefined || record.confirmed || record.facts === undefined) return;
      leftMs ??= record.confirmByMs + graceMs - Date.now();
      if (leftMs <= 0) {
        await rollBack(records, owner, record).catch((error: unknown) => console.error(error));
        // What could not be done now is tried until it can be; the agent tries too.
        leftMs = graceMs;
      }
      await pause(Math.min(pollMs, Math.max(leftMs, 1)), never);
      leftMs -= performance.now() - last;
      last = performance.now();
    }
  } finally {
    await rm(markPath(state, uid), { force: true });
    await rm(join(recordsDirectory(state), `${uid}.log`), { force: true });
  }
}

function markPath(state: string, uid: string): string {
  return join(recordsDirectory(state), `${uid}.guardian`);
}

async function isWritten(path: string): Promise<boolean> {
  return (await readFile(path, "utf8").catch(() => "")).endsWith("\n");
}

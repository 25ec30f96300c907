import { setTimeout as delay } from "node:timers/promises";
import { toDuration } from "../../../lib/duration.js";
import { timeLimit } from "../../../lib/time-limit.js";
import type { DialAttempt, EndDiagnosis, ProbeBurst } from "../../../proto/gen/zor/agent/v1/engine.js";
import { readFigures } from "../frames/stats.js";
import { type ReadyConnection, testAddress } from "../handshake/dial.js";
import type { CableSlot } from "../threads/cable-pool.js";
import { causes, paths } from "./link-words.js";
import { failureOf, type PathOwner } from "./paths.js";

/** Probes sent at once, and how long their answers are waited for. */
const burstProbes = 20;
const burstMs = 3_000;
const pollMs = 50;
/** Longest time for the attempts to reach the peer. */
const attemptsMs = 6_000;

/** Tests what lies between an end's tap and the other host, now. Takes at most some 6 seconds. */
export async function diagnose(
  owner: PathOwner,
  {
    connection,
    slot,
    ...seen
  }: {
    readonly connection: ReadyConnection | undefined;
    readonly slot: CableSlot | undefined;
    readonly tapFrameSent: boolean;
    readonly peerFault: string;
  },
): Promise<EndDiagnosis> {
  if (connection === undefined || slot === undefined) {
    return { ...seen, connection: undefined, burst: undefined, attempts: await attemptAll(owner) };
  }
  const { localAddress, remoteAddress, path, sinceMs } = connection;
  return {
    ...seen,
    connection: { localAddress, remoteAddress, path: paths[path], age: toDuration(Date.now() - sinceMs) },
    burst: await probe(slot),
    attempts: [],
  };
}

async function probe(slot: CableSlot): Promise<ProbeBurst> {
  const before = readFigures(slot.stats);
  slot.probe(burstProbes);
  const deadline = performance.now() + burstMs;
  for (;;) {
    const { probesSent, probesAnswered, rttMs } = readFigures(slot.stats);
    const sent = Math.max(0, probesSent - before.probesSent);
    const answered = Math.min(sent, Math.max(0, probesAnswered - before.probesAnswered));
    const done = sent >= burstProbes && answered === sent;
    if (done || performance.now() >= deadline) return { sent, answered, rtt: toDuration(rttMs) };
    await delay(pollMs);
  }
}

async function attemptAll({ record, identity, peerKeySha256 }: PathOwner): Promise<DialAttempt[]> {
  const signal = timeLimit(attemptsMs);
  return Promise.all(
    record.spec.peerAddresses.map(async (address) => {
      const failure = await failureOf(async () => {
        await testAddress({ address, identity, peerKeySha256, signal });
        return undefined;
      });
      const cause = causes[failure?.kind ?? ""];
      return { address, answers: failure === undefined, cause, reason: failure?.message ?? "" };
    }),
  );
}

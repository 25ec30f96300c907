import { setTimeout as delay } from "node:timers/promises";
import type { EndDiagnosis } from "../protocol/engine-protocol.js";
import { type ReadyConnection, testAddress } from "../handshake/dial.js";
import { failureOf, type PathOwner } from "./paths.js";
import { readFigures } from "../frames/stats.js";
import type { CableSlot } from "../threads/worker-pool.js";

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
  if (connection === undefined || slot === undefined) return { ...seen, attempts: await attemptAll(owner) };
  const { localAddress, remoteAddress, path, sinceMs } = connection;
  return {
    ...seen,
    connection: { localAddress, remoteAddress, path, ageMs: Date.now() - sinceMs },
    burst: await probe(slot),
    attempts: [],
  };
}

async function probe(slot: CableSlot): Promise<NonNullable<EndDiagnosis["burst"]>> {
  const before = readFigures(slot.stats);
  slot.probe(burstProbes);
  const deadline = performance.now() + burstMs;
  for (;;) {
    const { probesSent, probesAnswered, rttMs } = readFigures(slot.stats);
    const sent = Math.max(0, probesSent - before.probesSent);
    const answered = Math.min(sent, Math.max(0, probesAnswered - before.probesAnswered));
    const done = sent >= burstProbes && answered === sent;
    if (done || performance.now() >= deadline) return { sent, answered, rttMs };
    await delay(pollMs);
  }
}

async function attemptAll({ record, identity, peerKeySha256 }: PathOwner): Promise<EndDiagnosis["attempts"]> {
  const signal = AbortSignal.timeout(attemptsMs);
  return Promise.all(
    record.peerAddresses.map(async (address) => {
      const failure = await failureOf(async () => {
        await testAddress({ address, identity, peerKeySha256, signal });
        return undefined;
      });
      return { address, kind: failure?.kind ?? ("" as const), reason: failure?.message ?? "" };
    }),
  );
}

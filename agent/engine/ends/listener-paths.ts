import { Backoff, pause } from "../../../lib/backoff.js";
import { AttemptLoop } from "./attempt-loop.js";
import { answer, openRelay, testAddress } from "../handshake/dial.js";
import { CableFailure } from "../handshake/failure.js";
import { attachIfWanted, failureOf, joinLoops, needsRelay, type PathOwner, type Paths } from "./paths.js";
import { relayWaitMs } from "./relay-wait.js";

const comeBack = { minMs: 200, maxMs: 10_000 } as const;
/** Between tests whether the other host could be dialled. */
const testMs = { least: 10_000, most: 20_000 } as const;

/**
 * Connects a listener: it waits at the relay while it has no direct connection, which only the dialer can make, and tests meanwhile
 * whether it could dial the other host itself.
 */
export function listenerPaths(owner: PathOwner): Paths {
  return joinLoops([waitAtRelay(owner), testDirect(owner)]);
}

function waitAtRelay(owner: PathOwner): AttemptLoop {
  const backoff = new Backoff(comeBack);
  return new AttemptLoop({
    wanted: () => needsRelay(owner),
    attempt: async (signal) => {
      await pause(owner.calmMs, signal);
      if (signal.aborted) return 0;
      const failure = await failureOf(() => answerAtRelay(owner, signal));
      if (signal.aborted) return 0;
      if (failure === undefined) {
        backoff.reset();
        return 0;
      }
      const waitMs = relayWaitMs(failure, backoff);
      owner.failed("relayed", failure, Date.now() + waitMs);
      return waitMs;
    },
  });
}

async function answerAtRelay(owner: PathOwner, signal: AbortSignal): Promise<CableFailure | undefined> {
  const { linkUid, relayAddresses: addresses, relayTicket: ticket } = owner.record.spec;
  const socket = await openRelay({ addresses, linkUid, role: "listener", ticket, signal });
  const connection = await answer(socket, "relayed", {
    identity: owner.identity,
    find: (wanted) => (wanted === linkUid && owner.ready ? owner : undefined),
    signal,
  });
  return attachIfWanted(owner, connection, signal);
}

function testDirect(owner: PathOwner): AttemptLoop {
  const wanted = (): boolean =>
    owner.ready && owner.record.spec.peerAddresses.length > 0 && owner.inUse?.path !== "direct";
  return new AttemptLoop({
    wanted,
    attempt: async (signal) => {
      const failure = await failureOf(() => testAll(owner, signal));
      if (signal.aborted) return 0;
      owner.tellDirect(failure === undefined, failure?.message ?? "");
      return testMs.least + Math.random() * (testMs.most - testMs.least);
    },
  });
}

/** The failure of the last address, or undefined when one answers. */
async function testAll(owner: PathOwner, signal: AbortSignal): Promise<CableFailure | undefined> {
  const { identity, peerKeySha256 } = owner;
  let failure: CableFailure | undefined = new CableFailure("unreachable", "no address of the other host is known");
  for (const address of owner.record.spec.peerAddresses) {
    failure = await failureOf(async () => {
      await testAddress({ address, identity, peerKeySha256, signal });
      return undefined;
    });
    if (failure === undefined) return undefined;
  }
  return failure;
}

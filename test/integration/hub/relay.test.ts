import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Relay, type RelayGrant, type RelayLimits, type RelayOptions } from "../../../hub/relay/relay.js";
import { createLog } from "../../../lib/log.js";
import { programPath } from "../../../lib/program.js";
import { challengeOf, encodeRelayPreamble, RelayStatus, relayGreetingBytes } from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";

const linkUid = "0b54e6a5-91c1-4f0e-8b53-3a9a4f2c7d10";
const ticketOf = (host: string, role: RelayRole): Buffer => createHash("sha256").update(`${host} ${role}`).digest();
const grant = (host: string): RelayGrant => ({ host, ticketOf: (role) => ticketOf(host, role) });

let relay: Relay;
let grants: RelayGrant[];
let metered: bigint;
const sockets: Socket[] = [];

async function startRelay(
  limits: Partial<RelayLimits> = {},
  others: Partial<Pick<RelayOptions, "log" | "startThread">> = {},
): Promise<void> {
  relay = await Relay.listen({
    addresses: ["127.0.0.1:0"],
    grants: (uid) => (uid === linkUid ? grants : []),
    onBytes: (_uid, bytes) => {
      metered += BigInt(bytes);
    },
    log: createLog("relay-test", { write: () => undefined }),
    limits,
    ...others,
  });
}

beforeEach(() => {
  grants = [grant("alpha"), grant("beta")];
  metered = 0n;
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await relay.close();
});

/** A connection that the relay has greeted. */
async function open(from = "127.0.0.1"): Promise<{ readonly socket: Socket; readonly challenge: Buffer }> {
  const port = Number(relay.addresses[0]?.split(":")[1]);
  const socket = connect({ host: "127.0.0.1", port, localAddress: from, allowHalfOpen: true });
  sockets.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const challenge = challengeOf(await read(socket, relayGreetingBytes));
  if (challenge === undefined) throw new Error("the relay did not greet");
  return { socket, challenge };
}

/** An end at the relay: connected, its preamble sent. */
async function arrive(host: string, role: RelayRole, ticket = ticketOf(host, role), from?: string): Promise<Socket> {
  const { socket, challenge } = await open(from);
  socket.write(encodeRelayPreamble({ linkUid, role }, { ticket, challenge }));
  return socket;
}

/** The relay's answer. */
async function statusOf(socket: Socket): Promise<number | undefined> {
  const bytes = await read(socket, 1);
  return bytes[0];
}

/** Reads exactly so many bytes, or what there was when the socket ended. */
async function read(socket: Socket, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = length;
  while (left > 0) {
    const chunk: Buffer | null = socket.read(Math.min(left, socket.readableLength || left));
    if (chunk !== null) {
      parts.push(chunk);
      left -= chunk.length;
    } else if (socket.readableEnded || socket.destroyed) break;
    else await nextEvent(socket, ["readable", "end", "close"]);
  }
  return Buffer.concat(parts);
}

/** Resolves when the relay has closed the connection. */
async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.readableEnded && !socket.destroyed) await nextEvent(socket, ["end", "close"]);
}

async function nextEvent(socket: Socket, events: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of events) socket.on(event, resolve);
  await promise;
  for (const event of events) socket.off(event, resolve);
}

async function waits(role: RelayRole): Promise<void> {
  await expect.poll(() => relay.stateOf(linkUid).waiting.map((end) => end.role)).toEqual([role]);
}

async function pair(): Promise<{ listener: Socket; dialer: Socket }> {
  const listener = await arrive("alpha", "listener");
  await waits("listener");
  const dialer = await arrive("beta", "dialer");
  expect(await Promise.all([statusOf(listener), statusOf(dialer)])).toEqual([RelayStatus.Paired, RelayStatus.Paired]);
  return { listener, dialer };
}

describe("the relay", () => {
  test("lets a host with a good ticket connect only so often, and no other host suffers", async () => {
    await startRelay({ admissions: { burst: 3, perSecond: 0.001 } });
    // The newest that was let in is the one that waits for the other end.
    for (let attempt = 0; attempt < 9; attempt += 1) await arrive("alpha", "listener");
    await waits("listener");
    expect(await statusOf(await arrive("alpha", "listener"))).toBe(RelayStatus.Busy);
    const dialer = await arrive("beta", "dialer");
    expect(await statusOf(dialer)).toBe(RelayStatus.Paired);
  });

  test("pairs the two ends of a link and carries bytes both ways unchanged, and meters them", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    expect(relay.stateOf(linkUid)).toEqual({ waiting: [], paired: true });
    const [there, back] = [randomBytes(8 * 1024 * 1024), randomBytes(3 * 1024 * 1024)];
    dialer.write(there);
    listener.write(back);
    const [atListener, atDialer] = await Promise.all([read(listener, there.length), read(dialer, back.length)]);
    expect(atListener.equals(there)).toBe(true);
    expect(atDialer.equals(back)).toBe(true);
    await expect.poll(() => metered).toBe(BigInt(there.length + back.length));
  });

  test("does not read an end faster than the other takes it", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    const sent = randomBytes(64 * 1024 * 1024);
    dialer.write(sent);
    // The listener reads nothing: what the kernel and the relay hold is all that passes.
    let before = -1n;
    await expect
      .poll(
        () => {
          const still = metered === before;
          before = metered;
          return still;
        },
        // Twice as long as the relay takes to tell what it has carried.
        { interval: 1_000, timeout: 10_000 },
      )
      .toBe(true);
    expect(metered).toBeLessThan(32n * 1024n * 1024n);
    expect((await read(listener, sent.length)).equals(sent)).toBe(true);
  });

  test("keeps the order of many small pieces that wait for a slow end", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    dialer.setNoDelay(true);
    const sent = randomBytes(1024 * 1024);
    for (let at = 0; at < sent.length; at += 37) dialer.write(sent.subarray(at, at + 37));
    await expect.poll(() => metered > 0n).toBe(true);
    dialer.end();
    expect((await read(listener, sent.length + 1)).equals(sent)).toBe(true);
  });

  test("passes on the end of one half, and then of the other", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    dialer.end("last words");
    expect((await read(listener, 100)).toString()).toBe("last words");
    listener.end("answer");
    expect((await read(dialer, 100)).toString()).toBe("answer");
    await expect.poll(() => relay.stateOf(linkUid).paired).toBe(false);
  });

  test("closes both when one breaks", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    dialer.resetAndDestroy();
    await closed(listener);
    expect(relay.stateOf(linkUid).paired).toBe(false);
  });

  test("lets the second half go on only for a time when the first has ended", async () => {
    await startRelay({ lingerMs: 100 });
    const { listener, dialer } = await pair();
    dialer.end();
    await closed(listener);
    await expect.poll(() => relay.stateOf(linkUid).paired).toBe(false);
    await closed(dialer);
  });

  test("closes a pair that has been silent too long", async () => {
    await startRelay({ idleMs: 200 });
    const { listener, dialer } = await pair();
    await Promise.all([closed(listener), closed(dialer)]);
    expect(relay.stateOf(linkUid).paired).toBe(false);
  });

  test.each([
    [
      "a ticket of another end",
      async () => arrive("alpha", "dialer", ticketOf("alpha", "listener")),
      RelayStatus.NotAuthorised,
    ],
    ["a ticket of nobody", async () => arrive("alpha", "dialer", randomBytes(32)), RelayStatus.NotAuthorised],
    ["a link that does not exist", async () => foreignLink(), RelayStatus.NotAuthorised],
    [
      "another protocol",
      async () => garbage(() => Buffer.concat([Buffer.from("GET / HTTP/1.1\r\n"), Buffer.alloc(60)])),
      RelayStatus.BadPreamble,
    ],
    ["more than the preamble", async () => eager(), RelayStatus.BadPreamble],
  ])("refuses %s, and pairs it with nobody", async (_what, arriveBadly, code) => {
    await startRelay();
    await arrive("alpha", "listener");
    await waits("listener");
    const socket = await arriveBadly();
    expect(await statusOf(socket)).toBe(code);
    expect(await read(socket, 1)).toHaveLength(0);
    expect(relay.stateOf(linkUid)).toMatchObject({ waiting: [{ role: "listener" }], paired: false });
  });

  async function foreignLink(): Promise<Socket> {
    const uid = "ffffffff-91c1-4f0e-8b53-3a9a4f2c7d10";
    const ticket = ticketOf("beta", "dialer");
    return garbage((challenge) => encodeRelayPreamble({ linkUid: uid, role: "dialer" }, { ticket, challenge }));
  }

  async function garbage(bytesFor: (challenge: Buffer) => Buffer): Promise<Socket> {
    const { socket, challenge } = await open();
    socket.write(bytesFor(challenge));
    return socket;
  }

  async function eager(): Promise<Socket> {
    const ticket = ticketOf("beta", "dialer");
    return garbage((challenge) =>
      Buffer.concat([encodeRelayPreamble({ linkUid, role: "dialer" }, { ticket, challenge }), Buffer.from("hello")]),
    );
  }

  test("refuses a preamble that was overheard on another connection, also after the hub was started anew", async () => {
    await startRelay();
    const ticket = ticketOf("alpha", "listener");
    const first = await open();
    const overheard = encodeRelayPreamble({ linkUid, role: "listener" }, { ticket, challenge: first.challenge });
    first.socket.write(overheard);
    await waits("listener");
    expect(await statusOf(await garbage(() => overheard))).toBe(RelayStatus.NotAuthorised);
    expect(relay.stateOf(linkUid).waiting).toEqual([{ host: "alpha", role: "listener" }]);
    await relay.close();
    await startRelay();
    expect(await statusOf(await garbage(() => overheard))).toBe(RelayStatus.NotAuthorised);
    expect(relay.stateOf(linkUid).waiting).toEqual([]);
  });

  test("gives a slow peer a bounded time for its preamble, however it drips", async () => {
    await startRelay({ preambleMs: 300 });
    const { socket } = await open();
    const drip = setInterval(() => socket.write("Z"), 20);
    try {
      expect(await statusOf(socket)).toBe(RelayStatus.BadPreamble);
    } finally {
      clearInterval(drip);
    }
  });

  test("bounds the connections that have not proven themselves, and still serves those that have", async () => {
    await startRelay({ unprovenPerAddress: 3, preambleMs: 60_000 });
    const { listener, dialer } = await pair();
    const silent = await Promise.all([open(), open(), open()]);
    const refused = await open();
    expect(await statusOf(refused.socket)).toBe(RelayStatus.Busy);
    dialer.write("still here");
    expect((await read(listener, 10)).toString()).toBe("still here");
    silent[0]?.socket.destroy();
    await expect.poll(async () => statusOf(await arriveAtUnknown())).toBe(RelayStatus.NotAuthorised);
  });

  async function arriveAtUnknown(): Promise<Socket> {
    return arrive("alpha", "dialer", randomBytes(32));
  }

  test("lets an end wait only so long for the other", async () => {
    await startRelay({ parkMs: 100 });
    expect(await statusOf(await arrive("alpha", "listener"))).toBe(RelayStatus.TimedOut);
    expect(relay.stateOf(linkUid)).toEqual({ waiting: [], paired: false });
  });

  test("prefers the newest connection of an end that waits", async () => {
    await startRelay();
    const old = await arrive("alpha", "listener");
    await waits("listener");
    const fresh = await arrive("alpha", "listener");
    expect(await statusOf(old)).toBe(RelayStatus.Replaced);
    const dialer = await arrive("beta", "dialer");
    expect(await Promise.all([statusOf(fresh), statusOf(dialer)])).toEqual([0, 0]);
  });

  test("keeps an end that lives when the same one comes from another address, and lets that in when it is silent", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    dialer.resume();
    const copy = () => arrive("alpha", "listener", undefined, "127.0.0.2");
    listener.write("alive");
    expect(await statusOf(await copy())).toBe(RelayStatus.Copy);
    expect(relay.stateOf(linkUid).paired).toBe(true);
    // What the other end says does not keep the place of one that is dead.
    const talk = setInterval(() => dialer.write("hello?"), 100);
    try {
      const paired = async (): Promise<boolean> => {
        await copy();
        return relay.stateOf(linkUid).paired;
      };
      await expect.poll(paired, { interval: 500 }).toBe(false);
    } finally {
      clearInterval(talk);
    }
    await closed(listener);
  });

  test("ends the old pair when one of its ends comes anew, so that the other end notices", async () => {
    await startRelay();
    const { listener } = await pair();
    const fresh = await arrive("beta", "dialer");
    await closed(listener);
    const again = await arrive("alpha", "listener");
    expect(await Promise.all([statusOf(again), statusOf(fresh)])).toEqual([0, 0]);
  });

  test("does not pair a host with itself after its role was changed", async () => {
    await startRelay();
    const old = await arrive("alpha", "listener");
    await waits("listener");
    const fresh = await arrive("alpha", "dialer");
    expect(await statusOf(old)).toBe(RelayStatus.Gone);
    const listener = await arrive("beta", "listener");
    expect(await Promise.all([statusOf(fresh), statusOf(listener)])).toEqual([0, 0]);
  });

  test("forgets an end that goes while it waits", async () => {
    await startRelay();
    const socket = await arrive("alpha", "listener");
    await waits("listener");
    socket.destroy();
    await expect.poll(() => relay.stateOf(linkUid).waiting).toEqual([]);
  });

  test("closes what belongs to a link that was deleted: the pair, and an end that waits", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    grants = [];
    relay.recheck();
    await Promise.all([closed(listener), closed(dialer)]);
    grants = [grant("alpha"), grant("beta")];
    const waiting = await arrive("alpha", "listener");
    await waits("listener");
    grants = [];
    relay.recheck();
    expect(await statusOf(waiting)).toBe(RelayStatus.Gone);
  });

  test("closes a pair when one host's ticket is no longer good, and leaves a pair alone whose tickets are", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    relay.recheck();
    dialer.write("alive");
    expect((await read(listener, 5)).toString()).toBe("alive");
    grants = [grant("alpha"), { host: "beta", ticketOf: () => randomBytes(32) }];
    relay.recheck();
    await Promise.all([closed(listener), closed(dialer)]);
  });

  test("tells ends that wait when the hub ends", async () => {
    await startRelay();
    const socket = await arrive("alpha", "listener");
    await waits("listener");
    await relay.close();
    expect(await statusOf(socket)).toBe(RelayStatus.ShuttingDown);
  });

  test("outlives its thread: what that carried is cut, nothing is left open, and the next pair gets a new one", async () => {
    const lines: string[] = [];
    const threads: { worker: Worker; wakeFd: number }[] = [];
    await startRelay(
      {},
      {
        log: createLog("relay-test", { write: (line: string) => lines.push(line) }),
        startThread: (options) => {
          const worker = new Worker(programPath("relay-worker"), { workerData: options });
          threads.push({ worker, wakeFd: options.wakeFd });
          return worker;
        },
      },
    );
    const before = await openFiles();
    const { listener, dialer } = await pair();
    // Nobody reads them: the thread holds a pipe when it ends.
    dialer.write(randomBytes(16 * 1024 * 1024));
    await expect.poll(() => metered > 0n).toBe(true);
    const [thread] = threads;
    thread?.worker.postMessage({ type: "nonsense" });
    writeSync(thread?.wakeFd ?? -1, new BigUint64Array([1n]));
    await Promise.all([closed(listener), closed(dialer)]);
    expect(relay.stateOf(linkUid)).toEqual({ waiting: [], paired: false });
    expect(lines.join("")).toMatch(/the relay's thread failed/);
    for (const socket of [listener, dialer]) socket.destroy();
    await expect.poll(openFiles).toBe(before);
    const next = await pair();
    next.dialer.write("alive");
    expect((await read(next.listener, 5)).toString()).toBe("alive");
    expect(threads).toHaveLength(2);
  });

  test("closes a pair that no thread can be started for, leaves nothing open, and tries again with the next", async () => {
    const lines: string[] = [];
    let able = false;
    await startRelay(
      {},
      {
        log: createLog("relay-test", { write: (line: string) => lines.push(line) }),
        startThread: (options) => {
          if (!able) throw new Error("too many open files");
          return new Worker(programPath("relay-worker"), { workerData: options });
        },
      },
    );
    const before = await openFiles();
    const refused = [await arrive("alpha", "listener"), await arrive("beta", "dialer")];
    await Promise.all(refused.map(closed));
    expect(lines.join("")).toMatch(/cannot be started.*too many open files|too many open files.*cannot be started/s);
    for (const socket of refused) socket.destroy();
    await expect.poll(openFiles).toBe(before);
    able = true;
    const { listener, dialer } = await pair();
    dialer.write("alive");
    expect((await read(listener, 5)).toString()).toBe("alive");
  });

  async function openFiles(): Promise<number> {
    return (await readdir("/proc/self/fd")).length;
  }

  test("has told of every byte when it has closed", async () => {
    await startRelay();
    const { listener, dialer } = await pair();
    dialer.write("last words");
    await read(listener, 10);
    await relay.close();
    expect(metered).toBe(10n);
    await Promise.all([closed(listener), closed(dialer)]);
  });

  test("says which flag to use when its address is taken", async () => {
    await startRelay();
    const [address = ""] = relay.addresses;
    const second = Relay.listen({
      addresses: [address],
      grants: () => [],
      onBytes: () => undefined,
      log: createLog("relay-test", { write: () => undefined }),
    });
    await expect(second).rejects.toMatchObject({
      reason: "CANNOT_LISTEN",
      message: expect.stringMatching(/--relay-listen/),
    });
  });
});

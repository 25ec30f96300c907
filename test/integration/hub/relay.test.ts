import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { Relay } from "../../../hub/relay/relay.js";
import { createLog } from "../../../lib/log.js";
import { programPath } from "../../../lib/program.js";
import { closed, linkUid, RelayRig, read } from "./relay-rig.js";

const rig = RelayRig.use();

describe("the relay", () => {
  test("pairs the two ends of a link and carries bytes both ways unchanged, and meters them", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    expect(rig.relay.stateOf(linkUid)).toEqual({ waiting: [], paired: true });
    const [there, back] = [randomBytes(8 * 1024 * 1024), randomBytes(3 * 1024 * 1024)];
    dialer.write(there);
    listener.write(back);
    const [atListener, atDialer] = await Promise.all([read(listener, there.length), read(dialer, back.length)]);
    expect(atListener.equals(there)).toBe(true);
    expect(atDialer.equals(back)).toBe(true);
    await expect.poll(() => rig.metered).toBe(BigInt(there.length + back.length));
  });

  test("does not read an end faster than the other takes it", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    const sent = randomBytes(64 * 1024 * 1024);
    dialer.write(sent);
    // The listener reads nothing: what the kernel and the relay hold is all that passes.
    let before = -1n;
    await expect
      .poll(
        () => {
          const still = rig.metered === before;
          before = rig.metered;
          return still;
        },
        // Twice as long as the relay takes to tell what it has carried.
        { interval: 1_000, timeout: 60_000 },
      )
      .toBe(true);
    expect(rig.metered).toBeLessThan(32n * 1024n * 1024n);
    expect((await read(listener, sent.length)).equals(sent)).toBe(true);
  });

  test("keeps the order of many small pieces that wait for a slow end", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    dialer.setNoDelay(true);
    const sent = randomBytes(1024 * 1024);
    for (let at = 0; at < sent.length; at += 37) dialer.write(sent.subarray(at, at + 37));
    await expect.poll(() => rig.metered > 0n).toBe(true);
    dialer.end();
    expect((await read(listener, sent.length + 1)).equals(sent)).toBe(true);
  });

  test("passes on the end of one half, and then of the other", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    dialer.end("last words");
    expect((await read(listener, 100)).toString()).toBe("last words");
    listener.end("answer");
    expect((await read(dialer, 100)).toString()).toBe("answer");
    await expect.poll(() => rig.relay.stateOf(linkUid).paired).toBe(false);
  });

  test("closes both when one breaks", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    dialer.resetAndDestroy();
    await closed(listener);
    expect(rig.relay.stateOf(linkUid).paired).toBe(false);
  });

  test("lets the second half go on only for a time when the first has ended", async () => {
    await rig.start({ lingerMs: 100 });
    const { listener, dialer } = await rig.pair();
    dialer.end();
    await closed(listener);
    await expect.poll(() => rig.relay.stateOf(linkUid).paired).toBe(false);
    await closed(dialer);
  });

  test("closes a pair that has been silent too long", async () => {
    await rig.start({ idleMs: 200 });
    const { listener, dialer } = await rig.pair();
    await Promise.all([closed(listener), closed(dialer)]);
    expect(rig.relay.stateOf(linkUid).paired).toBe(false);
  });

  test("outlives its thread: what that carried is cut, nothing is left open, and the next pair gets a new one", async () => {
    const lines: string[] = [];
    const threads: { worker: Worker; wakeFd: number }[] = [];
    await rig.start(
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
    const { listener, dialer } = await rig.pair();
    // Nobody reads them: the thread holds a pipe when it ends.
    dialer.write(randomBytes(16 * 1024 * 1024));
    await expect.poll(() => rig.metered > 0n).toBe(true);
    const [thread] = threads;
    thread?.worker.postMessage({ type: "nonsense" });
    writeSync(thread?.wakeFd ?? -1, new BigUint64Array([1n]));
    await Promise.all([closed(listener), closed(dialer)]);
    expect(rig.relay.stateOf(linkUid)).toEqual({ waiting: [], paired: false });
    expect(lines.join("")).toMatch(/the relay's thread failed/);
    for (const socket of [listener, dialer]) socket.destroy();
    await expect.poll(openFiles).toBeLessThanOrEqual(before);
    const next = await rig.pair();
    next.dialer.write("alive");
    expect((await read(next.listener, 5)).toString()).toBe("alive");
    expect(threads).toHaveLength(2);
  });

  test("closes a pair that no thread can be started for, leaves nothing open, and tries again with the next", async () => {
    const lines: string[] = [];
    let able = false;
    await rig.start(
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
    const refused = [await rig.arrive("alpha", "listener"), await rig.arrive("beta", "dialer")];
    await Promise.all(refused.map(closed));
    expect(lines.join("")).toMatch(/cannot be started.*too many open files|too many open files.*cannot be started/s);
    for (const socket of refused) socket.destroy();
    await expect.poll(openFiles).toBeLessThanOrEqual(before);
    able = true;
    const { listener, dialer } = await rig.pair();
    dialer.write("alive");
    expect((await read(listener, 5)).toString()).toBe("alive");
  });

  async function openFiles(): Promise<number> {
    return (await readdir("/proc/self/fd")).length;
  }

  test("has told of every byte when it has closed", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    dialer.write("last words");
    await read(listener, 10);
    await rig.relay.close();
    expect(rig.metered).toBe(10n);
    await Promise.all([closed(listener), closed(dialer)]);
  });

  test("says which flag to use when its address is taken", async () => {
    await rig.start();
    const [address = ""] = rig.relay.addresses;
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

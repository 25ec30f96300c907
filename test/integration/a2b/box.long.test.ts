import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { noImpairment } from "../../../agent/engine/impair/settings.js";
import { eventually } from "../../helpers/eventually.js";
import { address, BoxRig, type RigSettings } from "./box-rig.js";

async function makeRig(settings: RigSettings = {}): Promise<BoxRig> {
  const rig = await BoxRig.make(settings);
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return rig;
}

/** Sends so many UDP datagrams of 1000 bytes from a to b, where nobody listens. */
async function sendDatagrams(rig: BoxRig, count: number): Promise<void> {
  const script = `payload=$(printf 'x%.0s' {1..1000}); for i in $(seq ${count}); do echo "$payload" > /dev/udp/${address.b}/9; done`;
  await run("bash", ["-c", script], { netns: rig.a.name });
}

/** A counter of a namespace's UDP, "InCsumErrors". */
async function udpCounter(rig: BoxRig, name: string): Promise<number> {
  const { stdout } = await run("cat", ["/proc/net/snmp"], { netns: rig.b.name });
  const [names = [], values = []] = stdout
    .split("\n")
    .filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf(name)]);
}

test("frames pass both ways, and the delay of each direction adds up", async () => {
  const rig = await makeRig({ aToB: { delayMs: 20 }, bToA: { delayMs: 30 } });
  const trips = await rig.ping({ count: 20 });
  expect(trips).toHaveLength(20);
  // Measured with the same clock by another process, which may round.
  for (const trip of trips) expect(trip).toBeGreaterThanOrEqual(49.9);
});

test("super-frames and their checksums arrive whole where only time counts, and cut up where chance decides", async () => {
  const rig = await makeRig({ aToB: { delayMs: 1 } });
  for (const settings of [{ delayMs: 1 }, { delayMs: 1, lossRatio: 1e-9 }]) {
    await rig.set({ aToB: settings });
    const before = rig.view().sides[0].counters;
    const digest = await rig.copy(20_000_000);
    expect(digest.received).toBe(digest.sent);
    await eventually(() => {
      const { inBytes, inFrames } = rig.view().sides[0].counters;
      // Counted as on a wire, whether they come as super-frames or one by one.
      expect((inBytes - before.inBytes) / (inFrames - before.inFrames)).toBeLessThanOrEqual(1_514);
      expect(inBytes - before.inBytes).toBeGreaterThan(20_000_000);
    });
  }
});

test("a flipped bit is seen by the receiver although its checksum was left to the device", async () => {
  const rig = await makeRig({ aToB: { corruptRatio: 1 } });
  await rig.fixNeighbours();
  await sendDatagrams(rig, 100);
  // Some flips hit an address and the frame is for nobody; nearly all hit the 1000 bytes of payload.
  await eventually(async () => expect(await udpCounter(rig, "InCsumErrors")).toBeGreaterThan(60));
  expect(await udpCounter(rig, "InDatagrams")).toBe(0);
});

test("with the same seed the same frames are lost, run after run, and with another seed others", async () => {
  const rig = await makeRig();
  await rig.fixNeighbours();
  const lossy = async (seed: bigint): Promise<readonly number[]> => {
    await rig.set({ aToB: { lossRatio: 0.5 }, seed });
    return rig.answered(40);
  };
  const first = await lossy(7n);
  expect(first.length).toBeGreaterThan(5);
  expect(first.length).toBeLessThan(35);
  expect(await lossy(7n)).toEqual(first);
  expect(await lossy(8n)).not.toEqual(first);
});

test("a schedule comes and goes by itself", async () => {
  const rig = await makeRig();
  await rig.fixNeighbours();
  await rig.set({
    steps: [
      { startMs: 0, durationMs: 6_000, direction: "both", impairment: { ...noImpairment, down: true } },
      { startMs: 6_000, durationMs: 600_000, direction: "aToB", impairment: { ...noImpairment, delayMs: 40 } },
    ],
  });
  expect(await rig.answered(2)).toEqual([]);
  expect(rig.view().sides[0].inForce.down).toBe(true);
  await eventually(async () => {
    const trips = await rig.ping({ count: 2 });
    expect(trips).toHaveLength(2);
    for (const trip of trips) expect(trip).toBeGreaterThanOrEqual(39.9);
  });
  expect(rig.view().sides[0].counters.droppedDownFrames).toBeGreaterThan(0);
});

test("what does not fit into the queue is dropped and counted, and what was promised is still delivered", async () => {
  const rig = await makeRig();
  await rig.fixNeighbours();
  await rig.set({ aToB: { rateBps: 1_000_000, burstBytes: 2_000, queueBytes: 20_000 } });
  const before = rig.view().sides[0].counters;
  await sendDatagrams(rig, 200);
  await eventually(() => {
    const now = rig.view().sides[0].counters;
    const dropped = now.droppedQueueFrames - before.droppedQueueFrames;
    expect(now.queuedFrames).toBe(0);
    expect(dropped).toBeGreaterThan(0);
    expect(now.outFrames - before.outFrames + dropped).toBe(now.inFrames - before.inFrames);
    expect(now.inFrames - before.inFrames).toBeGreaterThanOrEqual(200);
  });
});

test("a box comes back with its engine as it was, with its seed and its place in the schedule", async () => {
  const step = {
    startMs: 0,
    durationMs: 3_600_000,
    direction: "aToB",
    impairment: { ...noImpairment, delayMs: 25 },
  } as const;
  const rig = await makeRig({ steps: [step], seed: 0n });
  const { seed, spec } = rig.view();
  expect(seed).not.toBe(0n);
  await rig.killEngine();
  await rig.startEngine();
  await rig.plug();
  expect(rig.view()).toMatchObject({ seed, spec });
  for (const trip of await rig.ping({ count: 5 })) expect(trip).toBeGreaterThanOrEqual(24.9);
});

test("a damaged file of boxes is set aside and the engine starts without", async () => {
  const rig = await makeRig();
  await rig.killEngine();
  await run("bash", ["-c", `echo broken > ${join(rig.directory, "boxes.json")}`]);
  await rig.startEngine();
  expect(rig.exists).toBe(false);
  expect(await readFile(join(rig.directory, "engine.log"), "utf8")).toContain("boxes.json was damaged");
});

test("taps that somebody deletes are made anew", async () => {
  const rig = await makeRig();
  const { generation, sides } = rig.view();
  await rig.a.ip("link", "delete", sides[0].port);
  await eventually(() => {
    expect(rig.view().ready).toBe(true);
    expect(rig.view().generation).not.toBe(generation);
  });
  expect(rig.view().active).toBe(false);
  await rig.plug();
  expect(await rig.ping({ count: 3 })).toHaveLength(3);
});

test("a deleted box takes its taps with it and is gone for the next engine as well", async () => {
  const rig = await makeRig();
  const [a] = rig.view().sides;
  await rig.delete();
  await eventually(() => expect(rig.exists).toBe(false));
  await expect(rig.a.ip("link", "show", a.port)).rejects.toThrow(/does not exist/);
  await rig.killEngine();
  await rig.startEngine();
  expect(rig.exists).toBe(false);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { ReachRig } from "../../integration/reach/rig.js";

const addresses = { c1: "10.84.0.1", c2: "10.84.0.2" } as const;
const wire = "zt/w1";
let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  for (const [name, address] of Object.entries(addresses))
    await rig.create(name, { nics: [{ name: "eth0", addresses: [`${address}/24`] }], crun: { rootfs: "micro" } });
  await zor("create", "wire", wire, "c1:eth0", "c2:eth0");
  await eventually(async () => expect(await answered(1)).toEqual([1]));
  // Nobody asks for the other's address: what passes is what the tests send.
  for (const [from, to] of [
    ["c1", "c2"],
    ["c2", "c1"],
  ] as const) {
    const mac = (await zor("exec", `zt/${to}`, "--", "cat", "/sys/class/net/eth0/address")).trim();
    await zor("exec", `zt/${from}`, "--", "busybox", "arp", "-s", addresses[to], mac);
  }
}, 240_000);

afterAll(async () => await rig?.[Symbol.asyncDispose]());

async function zor(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** Which of so many pings from the first to the second were answered, from 1. */
async function answered(count: number): Promise<readonly number[]> {
  const words = ["ping", "-c", String(count), "-W", "2", addresses.c2];
  const { stdout } = await rig.zor("exec", "zt/c1", "--", ...words);
  // The first of some programs is 0.
  const found = [...stdout.matchAll(/\bseq=(\d+)/g)].map((match) => Number(match[1]));
  return found.map((sequence) => sequence + (stdout.includes("icmp_seq") ? 0 : 1));
}

type Way = Readonly<Record<"droppedFilterFrames" | "droppedNthFrames", string | undefined>>;

async function read() {
  const { wires } = JSON.parse(await zor("get", "wire", wire, "-o", "json"));
  const { spec, status } = wires[0];
  const dropped = ({ droppedFilterFrames = "0", droppedNthFrames = "0" }: Partial<Way> = {}) =>
    [droppedFilterFrames, droppedNthFrames].map(Number);
  return {
    spec,
    state: status.state as string,
    enginePid: Number(status.enginePid),
    aToB: dropped(status.aToB),
    bToA: dropped(status.bToA),
  };
}

/** Only pings pass, and every third of them does not. */
const onlyPings = ["--ab-drop-filter", "not icmp", "--ab-drop-every", "3"];
const thirdMissing = [1, 2, 4, 5, 7, 8];

/** Of all that a filter lets pass exactly every third is gone, counted from when it was set. */
async function expectThirdMissing(): Promise<void> {
  const before = await read();
  expect(await answered(9)).toEqual(thirdMissing);
  await eventually(async () => expect((await read()).aToB[1]).toBe((before.aToB[1] ?? 0) + 3));
}

test("exactly every nth of those that an expression lets pass is dropped, one way, and counted", async () => {
  await zor("set", "wire", wire, ...onlyPings);
  await eventually(async () => expect((await read()).state).toBe("WIRE_STATE_ACTIVE"));
  await expectThirdMissing();
  expect((await read()).bToA).toEqual([0, 0]);
  expect(await zor("describe", "wire", wire)).toMatch(/not icmp/);
});

test("it goes on without the agent, and as before with the next engine", async () => {
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await expectThirdMissing();
  const { enginePid } = await read();
  await killed(enginePid);
  await eventually(async () => {
    const now = await read();
    expect([now.state, now.enginePid === enginePid]).toEqual(["WIRE_STATE_ACTIVE", false]);
  });
  expect((await read()).aToB).toEqual([expect.any(Number), 0]);
  await expectThirdMissing();
});

test("what matches an expression is dropped and counted, whatever else is sent passes", async () => {
  await zor(
    "set",
    "wire",
    wire,
    "--ab-drop-every",
    "0",
    "--ab-drop-filter",
    "icmp[icmptype] = icmp-echo and len > 200",
  );
  const { aToB } = await read();
  expect(await answered(2)).toEqual([1, 2]);
  await rig.zor("exec", "zt/c1", "--", "ping", "-c", "3", "-W", "1", "-s", "400", addresses.c2);
  await eventually(async () => expect((await read()).aToB[0]).toBe((aToB[0] ?? 0) + 3));
});

test("an expression that does not compile is refused with its field, and changes nothing", async () => {
  const before = (await read()).spec;
  for (const [flag, field] of [
    ["--ab-drop-filter", "a_to_b.drop_filter"],
    ["--ba-drop-filter", "b_to_a.drop_filter"],
  ] as const) {
    const { code, stderr } = await rig.zor("set", "wire", wire, flag, "tcp prot 80");
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(field)]);
  }
  const { code, stderr } = await rig.zor("set", "wire", wire, "--ab-drop-every", "-1");
  expect([code === 0, stderr]).toEqual([false, expect.stringMatching(/drop.every/)]);
  expect((await read()).spec).toEqual(before);
});

test("a schedule drops by expressions of its own, which end with it", async () => {
  await zor("set", "wire", wire, "--clear", "--at", '0s for 1h: drop-filter "icmp"');
  expect(await answered(1)).toEqual([]);
  await zor("set", "wire", wire, "--clear");
  await eventually(async () => expect(await answered(1)).toEqual([1]));
});

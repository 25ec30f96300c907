import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { ReachRig } from "../../integration/reach/rig.js";

const [inContainer, inMachine] = ["10.83.0.2", "10.83.1.2"];
const container = (...addresses: string[]) => ({
  nics: addresses.map((address, index) => ({ name: `eth${index}`, addresses: [address] })),
  crun: { rootfs: "micro" },
});
const machine = {
  memoryMib: 128,
  nics: [{ name: "eth0", addresses: [`${inMachine}/24`] }],
  qemu: { machine: "q35", accelerator: "ACCELERATOR_TCG", kernel: "micro", disks: [{ sizeMib: 64, persistent: true }] },
};

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await Promise.all([
    rig.create("c1", container("10.83.0.1/24", "10.83.1.1/24")),
    rig.create("c2", container(`${inContainer}/24`)),
    rig.create("m1", machine),
  ]);
  await rig.answers("m1");
}, 240_000);

afterAll(async () => await rig?.[Symbol.asyncDispose]());

async function zor(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout;
}

async function look(file: string): Promise<string> {
  return (await zor("exec", "zt/c1", "--", "cat", `/sys/class/net/${file}`)).trim();
}

/** Round trips from the first container in milliseconds, one for each answer. */
async function trips(address: string, count = 3): Promise<readonly number[]> {
  const { stdout } = await rig.zor("exec", "zt/c1", "--", "ping", "-c", String(count), "-W", "2", address);
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

/** Waits until every frame takes at least so long there and back. */
async function expectDelay(address: string, leastMs: number): Promise<void> {
  await eventually(async () => {
    const seen = await trips(address);
    expect(seen.length).toBe(3);
    for (const trip of seen) expect(trip).toBeGreaterThanOrEqual(leastMs);
  });
}

/** Waits until a frame gets there and back without having been delayed. */
async function expectNoDelay(address: string, belowMs: number): Promise<void> {
  await eventually(async () => expect(Math.min(...(await trips(address)))).toBeLessThan(belowMs));
}

async function statusOf(wire: string): Promise<{
  readonly state: string;
  readonly enginePid?: string;
  readonly aToB?: { readonly lostFrames?: string };
}> {
  const { wires } = JSON.parse(await zor("get", "wire", wire, "-o", "json"));
  return wires[0].status;
}

/** The engine's taps in the switch's namespace. */
async function boxTaps(): Promise<readonly string[]> {
  const { stdout } = await run("ip", ["-n", rig.agent.netns, "-br", "link"]);
  return stdout.split("\n").flatMap((line) => /^zb\S+/.exec(line)?.[0] ?? []);
}

test("frames are delayed between containers, and between a container and a machine", async () => {
  await zor("create", "wire", "zt/w1", "c1:eth0", "c2:eth0", "--delay", "200ms");
  await zor("create", "wire", "zt/w2", "c1:eth1", "m1:eth0", "--ab-delay", "200ms");
  await expectDelay(inContainer, 399);
  await expectDelay(inMachine, 199);
  expect(await statusOf("zt/w1")).toMatchObject({ state: "WIRE_STATE_ACTIVE" });
});

test("impairments come and go while the guest keeps its interface, its addresses and its carrier", async () => {
  const files = ["eth0/carrier_changes", "eth0/ifindex", "eth0/address"];
  const before = await Promise.all(files.map(look));
  await zor("set", "wire", "zt/w1", "--clear");
  await expectNoDelay(inContainer, 399);
  await eventually(async () => expect((await boxTaps()).length).toBe(2));
  await zor("set", "wire", "zt/w1", "--ba-down");
  expect(await trips(inContainer)).toEqual([]);
  await zor("set", "wire", "zt/w1", "--no-ba-down", "--loss", "100%");
  expect(await trips(inContainer)).toEqual([]);
  await eventually(async () => expect(Number((await statusOf("zt/w1")).aToB?.lostFrames)).toBeGreaterThan(0));
  await zor("set", "wire", "zt/w1", "--loss", "0", "--delay", "200ms");
  await expectDelay(inContainer, 399);
  expect(await Promise.all(files.map(look))).toEqual(before);
});

test("frames go on without the agent, and as they should with the next engine", async () => {
  const { enginePid } = await statusOf("zt/w1");
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await expectDelay(inContainer, 399);
  expect((await statusOf("zt/w1")).enginePid).toBe(enginePid);
  await killed(Number(enginePid));
  await eventually(async () => {
    const { state, enginePid: now } = await statusOf("zt/w1");
    expect([state, now === enginePid]).toEqual(["WIRE_STATE_ACTIVE", false]);
  });
  await expectDelay(inContainer, 399);
  await expectDelay(inMachine, 199);
});

test("a cut, a schedule and wrong values are judged as at other wires", async () => {
  await zor("set", "wire", "zt/w1", "--cut");
  expect(await trips(inContainer, 1)).toEqual([]);
  expect(await look("eth0/operstate")).not.toBe("up");
  await zor("set", "wire", "zt/w1", "--no-cut");
  await expectDelay(inContainer, 399);
  await zor("set", "wire", "zt/w1", "--clear", "--at", "0s for 1h: down");
  expect(await trips(inContainer, 1)).toEqual([]);
  expect(await zor("describe", "wire", "zt/w1")).toMatch(/in force +DOWN|in force.*down/i);
  const refused = await rig.zor("set", "wire", "zt/w1", "spec.a_to_b.loss_ratio=2");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("loss_ratio");
});

test("deleted wires leave no box at the engine", async () => {
  await zor("delete", "wire", "zt/w1", "zt/w2", "--yes");
  await eventually(async () => expect(await boxTaps()).toEqual([]));
  const boxes = await readFile(`${rig.agent.state}/cable/boxes.json`, "utf8");
  expect(boxes).not.toContain("/wires/");
});

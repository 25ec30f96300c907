import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { type ReadCapture, readPcapng } from "../../helpers/pcapng-reader.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;
let probe: TestNetns;
let settings: string;

beforeAll(async () => {
  probe = await makeNetns("probe");
  settings = await mkdtemp(join(tmpdir(), "zt-targets-"));
  const config = join(settings, "agent.yaml");
  await writeFile(config, `taps:\n  - netns: ${probe.name}\n    addresses: ["10.62.0.0/16"]\n`);
  rig = await ReachRig.start(["--config", config]);
  for (const lan of ["lan1", "lan2", "lan3"]) await rig.createLan(lan);
  const container = (nics: readonly object[]) => ({ crun: { rootfs: "micro" }, nics });
  await rig.create("c1", container([{ lan: "lan1", addresses: ["10.62.1.1/24"] }, { addresses: ["10.62.9.1/24"] }]));
  await rig.create("c2", container([{ lan: "lan2", addresses: ["10.62.1.2/24"] }, { addresses: ["10.62.9.2/24"] }]));
  await rig.create("c3", container([{ lan: "lan3", addresses: ["10.62.1.3/24"] }]));
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await probe[Symbol.asyncDispose]();
  await rm(settings, { recursive: true, force: true });
});

async function done(...argv: string[]): Promise<void> {
  const { code, stderr } = await rig.zor(...argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")}: ${stderr}`);
}

/** What is in the file of a capture of a target while a container pings an address, until both ways are in it. */
async function pinged(
  target: string,
  to: string,
  from = "c1",
  name = target.replace(/\W/g, "-"),
): Promise<ReadCapture> {
  const file = join(rig.directory, `${name}.pcapng`);
  const read = async (): Promise<ReadCapture> => readPcapng(await readFile(file));
  const capture = rig.run("capture", target, "-f", "icmp", "-w", file);
  await eventually(async () => {
    if ((await read()).interfaces.length === 0) throw new Error(capture.stderr.text);
  });
  await eventually(async () => {
    await rig.zor("exec", `zt/${from}`, "--", "ping", "-c", "1", "-W", "10", to);
    expect(typesOf(await read())).toEqual(expect.arrayContaining([8, 0]));
  });
  capture.interrupt();
  expect(await capture.result).toMatchObject({ code: 0 });
  return read();
}

/** Types of the ICMP messages: 8 a request, 0 a reply. */
function typesOf({ frames }: ReadCapture): number[] {
  return frames.map(({ data }) => data[34] ?? -1);
}

it("shows what passes a wire, both ways, each frame once", async () => {
  await done("create", "wire", "zt/w1", "c1:eth1", "c2:eth1");
  const read = await pinged("wire:zt/w1", "10.62.9.2");
  expect(read.interfaces).toHaveLength(1);
  const types = typesOf(read);
  expect(types.filter((type) => type === 8)).toHaveLength(types.filter((type) => type === 0).length);
});

it("shows both sides of an in-line box", async () => {
  await done("create", "a2b", "zt/b1", "lan1", "lan2");
  const read = await pinged("a2b:zt/b1", "10.62.1.2");
  expect(read.interfaces).toHaveLength(2);
  expect(new Set(read.frames.map(({ interfaceId }) => interfaceId))).toEqual(new Set([0, 1]));
});

it("shows what a link puts into its lan and takes from it", async () => {
  await done("create", "link", "l1", "zt/lan1", "zt/lan3");
  const read = await pinged("link:l1", "10.62.1.3");
  expect(new Set(typesOf(read))).toEqual(new Set([8, 0]));
});

it("shows what a tap sends and gets", async () => {
  await done(
    "create",
    "tap",
    "zt/t1",
    "--lan",
    "lan1",
    "--netns",
    probe.name,
    "--device",
    "ztt0",
    "--addr",
    "10.62.1.4/24",
  );
  const read = await pinged("tap:zt/t1", "10.62.1.4");
  expect(read.interfaces.map(({ name }) => name)).toEqual(["zt/t1"]);
  const { stdout } = await run("ip", ["-n", probe.name, "-br", "address", "show", "dev", "ztt0"]);
  expect(stdout).toContain("10.62.1.4/24");
});

it("shows what a nat sends into its lan and gets from it, before addresses are translated", async () => {
  await done("create", "nat", "zt/n1", "--lan", "lan1", "--subnet", "10.62.1.128/25");
  // The gateway answers whoever asks in its own subnet.
  await done("exec", "zt/c1", "--", "ip", "address", "add", "10.62.1.200/25", "dev", "eth0");
  const read = await pinged("nat:zt/n1", "10.62.1.129");
  expect(read.interfaces.map(({ name }) => name)).toEqual(["zt/n1"]);
});

it("shows the interface of a machine", async () => {
  const nics = [{ lan: "lan1", addresses: ["10.62.1.9/24"] }];
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro" }, nics });
  const read = await pinged("zt/m1:eth0", "10.62.1.9");
  const ways = read.frames.map(({ data, direction }) => [data[34], direction]);
  // A request comes to it, a reply is what it sends.
  expect(ways).toEqual(ways.map(([type]) => [type, type === 8 ? 1 : 2]));
});

it.each([
  ["tap:zt/none", "zor get taps"],
  ["nat:zt/none", "zor get nats"],
])("says that there is no %s", async (target, remedy) => {
  const { code, stderr } = await rig.zor("capture", target, "-w", join(rig.directory, "none"));
  expect(code).not.toBe(0);
  expect(stderr).toContain(remedy);
});

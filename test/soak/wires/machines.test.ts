import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

/** Interfaces of guests, each in one wire: vm1 to a container, and to another machine. */
const ends = [
  ["vm1", "eth0"],
  ["c1", "eth0"],
  ["vm1", "eth1"],
  ["vm2", "eth0"],
] as const;
const [inContainer, inMachine] = ["10.82.0.2", "10.82.1.2"];
const container = { nics: [{ name: "eth0", addresses: [`${inContainer}/24`] }], crun: { rootfs: "micro" } };
const machine = (...addresses: string[]) => ({
  memoryMib: 128,
  nics: addresses.map((address, index) => ({ name: `eth${index}`, addresses: [address] })),
  qemu: { machine: "q35", accelerator: "ACCELERATOR_TCG", kernel: "micro", disks: [{ sizeMib: 64, persistent: true }] },
});

let rig: ReachRig;
let told: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  told = rig.watchEvents();
  await Promise.all([
    rig.create("vm1", machine("10.82.0.1/24", "10.82.1.1/24")),
    rig.create("vm2", machine(`${inMachine}/24`)),
    rig.create("c1", container),
  ]);
  await Promise.all(["vm1", "vm2"].map((id) => rig.answers(id)));
}, 240_000);

afterAll(async () => await rig?.[Symbol.asyncDispose]());

async function zor(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** What a script that does well prints inside: a guest on a busy host may not take commands for a moment. */
async function inside(id: string, script: string): Promise<string> {
  return await eventually(() => zor("exec", `zt/${id}`, "--", "sh", "-c", script));
}

async function look(id: string, nic: string, file: string): Promise<string> {
  return (await inside(id, `cat /sys/class/net/${nic}/${file}`)).trim();
}

async function expectCarrier(wanted: string, which: readonly (readonly [string, string])[] = ends): Promise<void> {
  await eventually(async () => {
    const seen = await Promise.all(which.map(([id, nic]) => look(id, nic, "carrier")));
    expect(seen).toEqual(which.map(() => wanted));
  });
}

/** Waits until the machine gets answers over both wires. */
async function expectToMeet(): Promise<void> {
  for (const address of [inContainer, inMachine]) {
    await eventually(async () => {
      const meets = `ping -c 1 -W 1 ${address} >/dev/null 2>&1 && echo yes`;
      expect((await rig.shell("vm1", meets)).trim()).toBe("yes");
    });
  }
}

/** How often the guests saw carrier come or go. */
async function changes(): Promise<readonly string[]> {
  return await Promise.all(ends.map(([id, nic]) => look(id, nic, "carrier_changes")));
}

/** Name of the port of an end. */
async function portOf(wire: string, end: "a" | "b"): Promise<string> {
  const line = new RegExp(`end ${end}.* port ([a-z0-9-]+),`);
  return line.exec(await zor("describe", "wire", wire))?.[1] ?? "";
}

async function expectState(wire: string, state: RegExp): Promise<void> {
  await eventually(async () => expect(await zor("describe", "wire", wire)).toMatch(state));
}

test("machines have carrier when they are in a wire, and meet whoever is at its other end", async () => {
  await expectCarrier("0");
  await zor("create", "wire", "zt/w1", "vm1:eth0", "c1:eth0");
  await zor("create", "wire", "zt/w2", "vm1:eth1", "vm2:eth0");
  await expectCarrier("1");
  await expectToMeet();
});

test("a cut and a pulled plug are seen in the guests, which keep interface and addresses", async () => {
  const before = await inside("vm1", "ip -o addr show; cat /sys/class/net/*/ifindex");
  for (const wire of ["zt/w1", "zt/w2"]) await zor("set", "wire", wire, "--cut");
  await expectCarrier("0");
  for (const wire of ["zt/w1", "zt/w2"]) await zor("set", "wire", wire, "--keep-carrier");
  await expectCarrier("1");
  for (const wire of ["zt/w1", "zt/w2"]) await zor("set", "wire", wire, "--no-cut", "--no-keep-carrier");
  await expectToMeet();
  await zor("set", "wire", "zt/w2", "--b", "");
  await expectCarrier("0", [
    ["vm1", "eth1"],
    ["vm2", "eth0"],
  ]);
  await zor("set", "wire", "zt/w2", "--b", "vm2:eth0");
  await expectCarrier("1");
  await expectToMeet();
  expect(await inside("vm1", "ip -o addr show; cat /sys/class/net/*/ifindex")).toBe(before);
});

test("a machine loses carrier while whoever is at the other end is stopped or gone, and meets the next one of that name", async () => {
  const ifindex = await look("vm1", "eth0", "ifindex");
  await zor("stop", "zt/c1");
  await expectCarrier("0", [["vm1", "eth0"]]);
  await expectState("zt/w1", /c1\/nics\/eth0: the instance does not run/);
  await zor("start", "zt/c1");
  await expectCarrier("1");
  await expectToMeet();
  await zor("delete", "instance", "zt/c1", "--force", "--yes");
  await expectCarrier("0", [["vm1", "eth0"]]);
  await expectState("zt/w1", /c1\/nics\/eth0: the instance does not run, or has no such NIC/);
  await rig.create("c1", container);
  await expectCarrier("1");
  await expectToMeet();
  expect(await look("vm1", "eth0", "ifindex")).toBe(ifindex);
});

test("guests notice nothing of the agent's and the hub's ends", async () => {
  const before = await changes();
  for (const address of [inContainer, inMachine])
    await inside("vm1", `ping -i 0.1 ${address} > /tmp/${address} 2>&1 </dev/null &`);
  const answers = async (address: string): Promise<readonly number[]> => {
    const log = await inside("vm1", `grep -o 'seq=[0-9]* ttl' /tmp/${address}; true`);
    return [...log.matchAll(/seq=(\d+) ttl/g)].map((match) => Number(match[1]));
  };
  const more = async (address: string): Promise<void> => {
    const sofar = (await answers(address)).length;
    await eventually(async () => expect((await answers(address)).length).toBeGreaterThan(sofar + 5));
  };
  await more(inContainer);
  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  await more(inContainer);
  await rig.hub.kill();
  await rig.hub.run();
  await rig.reconnect();
  told = rig.watchEvents();
  await more(inMachine);
  await expectState("zt/w1", /active/);
  await expectState("zt/w2", /active/);
  for (const address of [inContainer, inMachine]) {
    const seen = await answers(address);
    expect(seen).toEqual(seen.map((_, index) => (seen[0] ?? 0) + index));
  }
  await inside("vm1", "killall -INT ping");
  expect(await changes()).toEqual(before);
});

test("what somebody else takes apart is joined again, and told", async () => {
  const before = await changes();
  const { netns } = rig.agent;
  for (const [wire, end] of [
    ["zt/w1", "a"],
    ["zt/w2", "b"],
  ] as const) {
    const healed = () => told.filter((event) => event.startsWith("wire.healed")).length;
    const earlier = healed();
    await run("tc", ["-n", netns, "qdisc", "delete", "dev", await portOf(wire, end), "clsact"]);
    await eventually(() => expect(healed()).toBeGreaterThan(earlier));
    await expectToMeet();
  }
  expect(await changes()).toEqual(before);
});

test("a container's port that somebody else removes is told, and is made again", async () => {
  await run("ip", ["-n", rig.agent.netns, "link", "delete", await portOf("zt/w1", "b")]);
  await eventually(() => expect(told.some((event) => event.startsWith("wire.faulty"))).toBe(true));
  await expectState("zt/w1", /active/);
  await expectCarrier("1");
  await expectToMeet();
});

test("machines have the carrier of now when they go back to a snapshot, and when they go on from disk", async () => {
  await zor("snapshot", "create", "zt/vm1", "before", "--ram");
  await zor("snapshot", "revert", "zt/vm1", "before", "--yes");
  await rig.answers("vm1");
  await expectCarrier("1");
  await expectToMeet();
  await zor("suspend", "zt/vm1");
  await expectCarrier("0", [
    ["c1", "eth0"],
    ["vm2", "eth0"],
  ]);
  await zor("start", "zt/vm1");
  await rig.answers("vm1");
  await expectCarrier("1");
  await expectToMeet();
  await zor("stop", "zt/c1");
  await zor("snapshot", "revert", "zt/vm1", "before", "--yes");
  await rig.answers("vm1");
  await expectCarrier("0", [["vm1", "eth0"]]);
  await zor("start", "zt/c1");
  await expectCarrier("1");
  await expectToMeet();
});

test("a wire that is deleted takes carrier from both, and an interface in it can go into nothing else before", async () => {
  await rig.createLan("lan1");
  const refused = await rig.zor("attach", "zt/vm1", "eth0", "lan1");
  expect(refused.stderr).toContain("hosts/zt/wires/w1");
  for (const wire of ["zt/w1", "zt/w2"]) await zor("delete", "wire", wire, "--yes");
  await expectCarrier("0");
  await zor("attach", "zt/vm1", "eth0", "lan1");
  await expectCarrier("1", [["vm1", "eth0"]]);
});

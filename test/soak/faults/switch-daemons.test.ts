import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { holdProcess } from "../../helpers/held-process.js";
import { killed } from "../../helpers/killed.js";
import { ping } from "../../integration/network/fixture.js";
import { addressOf, endpointOf, guard, guests, lan1, peer, SwitchRig } from "./switch-rig.js";

let rig: SwitchRig;
beforeAll(async () => {
  rig = await SwitchRig.open();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

it.each([
  [["ovs-vswitchd"]],
  [["ovsdb-server"]],
  [["ovs-vswitchd", "ovsdb-server"]],
  [["ovsdb-server", "ovs-vswitchd"]],
])("%j killed: told, and nothing passes unguarded", { timeout: 120_000 }, async (given) => {
  await rig.survives(
    `kill -9 ${given.join(" ")}`,
    async () => {
      for (const pid of await Promise.all(given.map((name) => rig.pidOf(name)))) process.kill(pid, "SIGKILL");
    },
    new RegExp(`^ .*${given.at(0)}.* ended`),
  );
});

it.each([[["ovs-vswitchd"]], [["ovsdb-server"]], [["ovsdb-server", "ovs-vswitchd"]]])(
  "%j stopped: goes on as it was, told, and nothing passes unguarded",
  { timeout: 120_000 },
  async (given) => {
    const pids = await Promise.all(given.map((name) => rig.pidOf(name)));
    await rig.survives(
      `${given.join(" and ")} stopped`,
      async () => {
        for (const pid of pids) process.kill(pid, "SIGSTOP");
      },
      new RegExp(given.map((name) => `^ ${name} of the lans' switch was stopped by a signal`).join(".*"), "ms"),
    );
    // They were not started again.
    expect(await Promise.all(given.map((name) => rig.pidOf(name)))).toEqual(pids);
  },
);

it("ovs-vswitchd held by a debugger: told, let be for some seconds, and then started again", {
  timeout: 120_000,
}, async () => {
  const pid = await rig.pidOf("ovs-vswitchd");
  await rig.survives(
    "ovs-vswitchd held",
    async () => {
      // It is killed while it is held, and then nobody's to let go.
      holdProcess(pid);
      await eventually(() =>
        expect(rig.net.lans.find("lan1")?.reason).toMatch(/does not forward test frames|does not answer/),
      );
    },
    /ovs-vswitchd of the lans' switch had ended/,
  );
});

it("stopped while no agent was there: goes on with the next", { timeout: 120_000 }, async () => {
  const pid = await rig.pidOf("ovs-vswitchd");
  rig.net.lans.close();
  await rig.net.sw.close();
  process.kill(pid, "SIGSTOP");
  await rig.net.reopen();
  expect(await rig.pidOf("ovs-vswitchd")).toBe(pid);
  await rig.net.lans.ensureLan(lan1);
  for (const uid of guests) await rig.net.plugContainer(uid, "lan1", addressOf(uid));
  await rig.net.lans.flows.set("lan1", "port", guard);
  await rig.net.lans.flows.settle();
  await ping(rig.guest, peer);
  expect(await rig.leaked()).toBe(0);
  rig.listen();
});

it("the agent is gone while both are killed: nothing passes before its flows are there", {
  timeout: 120_000,
}, async () => {
  const pids = [await rig.pidOf("ovs-vswitchd"), await rig.pidOf("ovsdb-server")];
  rig.net.lans.close();
  await rig.net.sw.close();
  for (const pid of pids) await killed(pid);
  await rig.net.reopen();
  await rig.net.lans.ensureLan(lan1);
  for (const uid of guests) await rig.net.plugContainer(uid, "lan1", addressOf(uid));
  expect(rig.net.sw.isHoldingBack).toBe(true);
  expect(rig.net.lans.find("lan1")?.reason).toBe("");
  await rig.net.lans.flows.set("lan1", "port", guard);
  await rig.net.lans.flows.settle();
  await ping(rig.guest, peer);
  expect(await rig.leaked()).toBe(0);
  rig.listen();
});

it("its bridge removed, and a port: made again and told", { timeout: 120_000 }, async () => {
  const { net } = rig;
  await rig.survives(
    "bridge removed",
    async () => void (await net.vsctl("del-br", await net.vsctl("list-br"))),
    /^lan1 its bridge was removed at the switch/m,
  );
  const ports: string[] = [];
  onTestFinished(net.lans.onPortChange(({ endpoint, fault }) => ports.push(`${endpoint} ${fault}`)));
  await net.vsctl("del-port", rig.port);
  await eventually(() =>
    expect(ports).toEqual([`${endpointOf("ccc")} it was taken out of its lan at the switch`, `${endpointOf("ccc")} `]),
  );
  await ping(rig.guest, peer);
  expect(await rig.leaked()).toBe(0);
});

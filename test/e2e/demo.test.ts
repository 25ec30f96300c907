import { readFile, readlink, stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../helpers/leftovers.js";
import { describeBadInput } from "./suites/bad-input.js";
import { describeForeignClient } from "./suites/foreign-client.js";
import { describeSurvival } from "./suites/survival.js";
import { describeTerminal } from "./suites/terminal.js";
import { instancePids, isRunning, TestDemo } from "./test-demo.js";

let demo: TestDemo;
let before: MachineState;
let printed = "";

beforeAll(async () => {
  before = captureMachine();
  demo = await TestDemo.create();
  printed = await demo.must(["demo", "up"], { timeoutMs: 240_000 });
  console.log(printed);
}, 250_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
});

describe("a demo fleet brought up with zor demo up", () => {
  it("proves that machines and containers on two hosts reach each other over the link", () => {
    for (const pair of ["machine to machine", "machine to container", "container to container"]) {
      expect(printed).toMatch(new RegExp(`${pair} +5/5 received \\(100 %\\), rtt`));
    }
  });

  it("prints the fleet: both hosts, all four guests and the link", () => {
    for (const name of ["alpha", "beta", "vm1", "vm2", "box1", "box2", "demo"]) expect(printed).toContain(name);
  });

  it("names hub and agents with pid, address, state directory and namespace", async () => {
    const { hub, agents, supervisor, link } = await demo.status();
    for (const program of [hub, supervisor, ...agents]) expect(await isRunning(program.pid ?? 0)).toBe(true);
    expect(hub.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(agents.map(({ host, state }) => [host, state])).toEqual([
      ["alpha", "HOST_STATE_READY"],
      ["beta", "HOST_STATE_READY"],
    ]);
    for (const { stateDirectory } of [hub, ...agents]) expect((await stat(stateDirectory)).isDirectory()).toBe(true);
    for (const { pid, namespace } of agents) {
      const named = (await stat(`/run/netns/${namespace}`)).ino;
      expect(await readlink(`/proc/${pid}/ns/net`)).toBe(`net:[${named}]`);
    }
    expect(link).toMatchObject({ name: "links/demo", state: "LINK_STATE_ACTIVE" });
  });

  it("is left as it is by a second zor demo up", async () => {
    const first = await demo.status();
    const began = performance.now();
    await demo.must(["demo", "up"], { timeoutMs: 120_000 });
    console.log(`second demo up: ${Math.round(performance.now() - began)} ms`);
    const second = await demo.status();
    expect(second.hub.pid).toBe(first.hub.pid);
    expect(second.agents.map(({ pid }) => pid)).toEqual(first.agents.map(({ pid }) => pid));
    expect(instancePids(second)).toEqual(instancePids(first));
  });
});

describeForeignClient(() => demo);
describeSurvival(() => demo);
describeBadInput(() => demo);
describeTerminal(() => demo);

describe("the programs of the demo", () => {
  it("have not ended but for the one agent and the hub that were killed", async () => {
    const { supervisor, agents, hub } = await demo.status();
    const log = await readFile(supervisor.log, "utf8");
    const ended = log.split("\n").filter((line) => line.includes("starting it again"));
    const told = ended.map((line) => String((JSON.parse(line) as { program: unknown }).program)).toSorted(); // pino's lines
    if (told.length > 2) {
      for (const program of [hub, ...agents])
        console.log(program.log, (await readFile(program.log, "utf8")).slice(-4000));
    }
    expect(told).toEqual(["alpha", "hub"]);
  });
});

describe("zor demo down", () => {
  it("leaves no process, namespace, interface, mount or file of the demo, though there is a box and another link", async () => {
    await demo.must(["create", "lan", "alpha/lan9"]);
    await demo.must(["create", "a2b", "alpha/left", "lan1", "lan9"]);
    await demo.must(["create", "lan", "beta/lan9"]);
    await demo.must(["create", "link", "more", "alpha/lan9", "beta/lan9", "--no-wait"]);
    const running = await demo.status();
    const pids = [running.hub.pid, running.supervisor.pid, ...running.agents.map(({ pid }) => pid)];
    const all = [...pids.map((pid) => pid ?? 0), ...Object.values(instancePids(running))];
    const said = await demo.must(["demo", "down"], { timeoutMs: 120_000 });
    // Everything was deleted through the hub, in the right order.
    expect(said).toMatch(/^\[1\/4\] links, boxes, guests and lans \([\d.]+ s\)\n\[2\/4\]/);
    // The kernel takes interfaces of namespaces that are gone away a moment later.
    await eventually(() => expect(leftBehind(before, captureMachine(), demo.ownership)).toEqual([]));
    expect(await Promise.all(all.map(isRunning))).toEqual(all.map(() => false));
    expect(await demo.must(["context", "list"])).not.toContain(demo.name);
  });
});

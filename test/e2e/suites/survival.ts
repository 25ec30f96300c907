import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { spawnOwned } from "../../helpers/owned.js";
import { GuestPing, type PingTrace } from "../guest-ping.js";
import { eventually, instancePids, isRunning, type TestDemo } from "../test-demo.js";

/** The supervisor looks ten times a second and waits 0.2 s; the rest is the agent's start, which takes long on a busy machine. */
const backWithinMs = 30_000;

/** Guests, cables and acknowledged changes outlive agent and hub. */
export function describeSurvival(demo: () => TestDemo): void {
  describe("kill -9 of an agent", () => {
    it("leaves every guest and the ping across the link untouched, and the agent is back with the same guests", async () => {
      const before = await demo().status();
      const pids = instancePids(before);
      const pid = agentPid(before, "alpha");
      const ping = await GuestPing.start(demo(), "alpha/vm1", "10.77.0.21");

      // The hub's own word, as it comes: asking for the status takes as long as the machine is busy.
      await using hosts = watch(demo(), "hosts");
      await hosts.sees("alpha is READY", isReadyWith(pid));
      process.kill(pid, "SIGKILL");
      const began = performance.now();
      const backMs = Math.round((await hosts.sees("alpha is READY with a new agent", isReadyWithout(pid))) - began);
      await eventually("the guests of alpha run", 60_000, async () => {
        const agent = (await demo().status()).agents.find(({ host }) => host === "alpha");
        return agent?.instances.every(({ state }) => state === "INSTANCE_STATE_RUNNING") ? true : undefined;
      });

      await ping.waitForMore();
      const trace = await ping.stop();
      tell("agent killed", backMs, trace);
      expect(trace.lost).toBe(0);
      expect(instancePids(await demo().status())).toEqual(pids);
      for (const guest of Object.values(pids)) expect(await isRunning(guest)).toBe(true);
      expect(backMs).toBeLessThan(backWithinMs);
    });
  });

  describe("kill -9 of the hub", () => {
    it("loses no acknowledged change, touches no guest, and a running watch goes on", async () => {
      const before = await demo().status();
      const pids = instancePids(before);
      const hubPid = before.hub.pid ?? 0;
      const ping = await GuestPing.start(demo(), "alpha/vm1", "10.77.0.21");
      await using lans = watch(demo(), "lans");
      await lans.sees("lan1", has("lan1"));

      await demo().must(["create", "lan", "alpha/kept1"]);
      await demo().must(["host", "add", "kept-host"]);
      process.kill(hubPid, "SIGKILL");
      const backMs = await timeUntil("the hub answers again", async () => {
        const status = await demo().status();
        const ready = status.agents.every(({ state }) => state === "HOST_STATE_READY");
        return ready && status.hub.pid !== hubPid && status.hub.reason === "" ? status : undefined;
      });

      const hosts = await demo().must(["get", "hosts", "-o", "json"]);
      expect(hosts).toContain("hosts/kept-host");
      expect(await demo().must(["get", "lans", "-o", "json"])).toContain("hosts/alpha/lans/kept1");
      await demo().must(["create", "lan", "alpha/after1"]);
      await lans.sees("after1", has("after1"));

      await ping.waitForMore();
      const trace = await ping.stop();
      tell("hub killed", backMs, trace);
      expect(trace.lost).toBe(0);
      expect(instancePids(await demo().status())).toEqual(pids);
      for (const lan of ["kept1", "after1"]) await demo().must(["delete", "lan", `alpha/${lan}`, "--yes"]);
      await demo().must(["host", "remove", "kept-host", "--yes"]);
    });
  });
}

function agentPid(status: Awaited<ReturnType<TestDemo["status"]>>, host: string): number {
  const pid = status.agents.find((agent) => agent.host === host)?.pid;
  if (pid === null || pid === undefined) throw new Error(`the agent of ${host} does not run`);
  return pid;
}

async function timeUntil(what: string, look: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await eventually(what, 60_000, look);
  return Math.round(performance.now() - began);
}

function tell(what: string, backMs: number, { answered, lost, longestGapMs }: PingTrace): void {
  console.log(
    `${what}: back after ${backMs} ms; ping: ${answered} answered, ${lost} lost, longest gap ${longestGapMs} ms`,
  );
}

const has = (text: string) => (line: string) => line.includes(text);

/** Whether a line of a watch says that alpha is READY, with this agent. */
const isReadyWith = (pid: number) => (line: string) =>
  line.includes('"hosts/alpha"') && line.includes("HOST_STATE_READY") && line.includes(`"${pid}"`);

const isReadyWithout = (pid: number) => (line: string) =>
  line.includes('"hosts/alpha"') && line.includes("HOST_STATE_READY") && !line.includes(`"${pid}"`);

/** A watch of the command line as it runs. */
interface Watch extends AsyncDisposable {
  /** Resolves to the time (performance.now()) at which the first such line came that no earlier call has been given. */
  sees(what: string, isIt: (line: string) => boolean): Promise<number>;
}

/** `zor get PLURAL --watch`. */
function watch(demo: TestDemo, plural: string): Watch {
  const child = spawnOwned(demo.launcher, ["get", plural, "--watch", "-o", "json"], {
    env: { ...process.env, ...demo.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: { readonly text: string; readonly atMs: number }[] = [];
  createInterface(child.stdout).on("line", (text) => lines.push({ text, atMs: performance.now() }));
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    told += chunk.toString("utf8");
  });
  const ended = once(child, "exit");
  let read = 0;
  return {
    sees: async (what, isIt) =>
      await eventually(`${what} in the watch`, 60_000, async () => {
        const index = lines.findIndex(({ text }, at) => at >= read && isIt(text));
        const line = lines[index];
        if (line !== undefined) {
          read = index + 1;
          return line.atMs;
        }
        if (child.exitCode !== null) throw new Error(`the watch ended with exit code ${child.exitCode}`);
        throw new Error(`the watch has printed:\n${lines.map(({ text }) => text).join("\n")}${told}`);
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

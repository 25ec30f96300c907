import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { spawnOwned } from "../../helpers/owned.js";
import { GuestPing, type PingTrace } from "../guest-ping.js";
import { eventually, instancePids, isRunning, type TestDemo } from "../test-demo.js";

/** The supervisor looks ten times a second and waits 0.2 s; an agent then has 5 s. */
const backWithinMs = 6000;

/** Guests, cables and acknowledged changes outlive agent and hub. */
export function describeSurvival(demo: () => TestDemo): void {
  describe("kill -9 of an agent", () => {
    it("leaves every guest and the ping across the link untouched, and the agent is back with the same guests", async () => {
      const before = await demo().status();
      const pids = instancePids(before);
      const pid = agentPid(before, "alpha");
      const ping = await GuestPing.start(demo(), "alpha/vm1", "10.77.0.21");

      process.kill(pid, "SIGKILL");
      const backMs = await timeUntil("alpha is READY with a new agent", async () => {
        const status = await demo().status();
        const agent = status.agents.find(({ host }) => host === "alpha");
        const ready = agent?.state === "HOST_STATE_READY" && agent.pid !== null && agent.pid !== pid;
        return ready && agent.instances.every(({ state }) => state === "INSTANCE_STATE_RUNNING") ? status : undefined;
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
      await using watch = watchLans(demo());
      await watch.sees("lan1");

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
      await watch.sees("after1");

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

/** `zor get lans --watch` as it runs, with all it has printed. */
function watchLans(demo: TestDemo): AsyncDisposable & { sees(text: string): Promise<void> } {
  const child = spawnOwned(demo.launcher, ["get", "lans", "--watch", "-o", "json"], {
    env: { ...process.env, ...demo.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString("utf8");
  });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => {
    told += chunk.toString("utf8");
  });
  const ended = once(child, "exit");
  return {
    sees: async (text) => {
      await eventually(`${text} in the watch`, 20_000, async () => {
        if (child.exitCode !== null) throw new Error(`the watch ended with exit code ${child.exitCode}`);
        if (printed.includes(text)) return true;
        throw new Error(`the watch has printed:\n${printed}${told}`);
      });
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

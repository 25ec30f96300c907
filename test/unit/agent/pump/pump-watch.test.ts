import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pumpSocket } from "../../../../agent/pump/protocol/frames.js";
import { PumpWatch } from "../../../../agent/pump/protocol/pump-watch.js";
import { spawnOwned } from "../../../helpers/owned.js";

const lookMs = 50;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-pump-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A process that looks like the pump of the directory, and whoever listens at its socket. */
async function pump(onAgent: (agent: Socket) => void) {
  const argv = ["-e", "console.log(1); setInterval(() => undefined, 1000)", "--", "console-pump.js", "--directory"];
  const child = spawnOwned(process.execPath, [...argv, directory], { stdio: ["ignore", "pipe", "ignore"] });
  if (child.stdout !== null) await once(child.stdout, "data");
  const server = createServer(onAgent);
  await once(server.listen(join(directory, pumpSocket)), "listening");
  return { child, ended: once(child, "exit"), [Symbol.dispose]: () => void server.close() };
}

it("ends a pump that is stopped, once it has not answered for long", async () => {
  const agents: Socket[] = [];
  using stopped = await pump((agent) => agents.push(agent));
  stopped.child.kill("SIGSTOP");
  using needed = new PumpWatch(directory, lookMs).need();
  void needed;
  await stopped.ended;
  expect(agents.length).toBeGreaterThanOrEqual(4);
  for (const agent of agents) agent.destroy();
});

it("leaves one alone that answers, and asks nothing while nobody needs it", async () => {
  const asked = { count: 0 };
  const told = Promise.withResolvers<void>();
  using well = await pump((agent) => {
    asked.count += 1;
    if (asked.count === 8) told.resolve();
    agent.end("closed");
  });
  const needed = new PumpWatch(directory, lookMs).need();
  await told.promise;
  expect(well.child.exitCode ?? well.child.signalCode).toBeNull();
  needed[Symbol.dispose]();
  well.child.kill("SIGKILL");
  await well.ended;
});

it("ends one that cannot be reached any more before another is started", async () => {
  using deaf = await pump((agent) => agent.destroy());
  await new PumpWatch(directory).endAll();
  expect((await deaf.ended)[1]).toBe("SIGTERM");
});

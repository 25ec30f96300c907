import { once } from "node:events";
import { expect, it } from "vitest";
import { endIfHung, endWhenStill, reachesServers } from "../../../../../agent/drivers/qemu/last-moments.js";
import { findIdentity } from "../../../../../lib/process.js";
import { spawnOwned } from "../../../../helpers/owned.js";

const lookMs = 20;

async function begin(script: string) {
  const child = spawnOwned("sh", ["-c", script], { stdio: "ignore" });
  const identity = await findIdentity(child.pid ?? 0);
  if (identity === undefined) throw new Error("it has ended already");
  return { child, identity, ended: once(child, "exit") };
}

it("ends what only sleeps", async () => {
  const { identity, ended } = await begin("exec sleep 600");
  expect(await endWhenStill(identity, new AbortController().signal, lookMs)).toBe(true);
  expect((await ended)[1]).toBe("SIGKILL");
});

it("leaves alone what works, and is done when that has ended", async () => {
  const { child, identity, ended } = await begin("while :; do :; done");
  const watching = new AbortController();
  expect(await endWhenStill(identity, AbortSignal.timeout(20 * lookMs), lookMs)).toBe(false);
  const done = endWhenStill(identity, watching.signal, lookMs);
  child.kill("SIGTERM");
  expect([await done, (await ended)[1]]).toEqual([false, "SIGTERM"]);
});

it("leaves alone what is stopped, and ends it when it goes on and only sleeps", async () => {
  const { child, identity, ended } = await begin("exec sleep 600");
  child.kill("SIGSTOP");
  expect(await endWhenStill(identity, AbortSignal.timeout(20 * lookMs), lookMs)).toBe(false);
  child.kill("SIGCONT");
  expect(await endWhenStill(identity, new AbortController().signal, lookMs)).toBe(true);
  await ended;
});

it("knows what can reach servers by the network that it is in, and never ends that", async () => {
  const { child, identity, ended } = await begin("exec sleep 600");
  expect(await reachesServers(identity)).toBe(true);
  expect(await endIfHung(identity, new AbortController().signal)).toBe(false);
  child.kill("SIGKILL");
  await ended;
  expect(await reachesServers(identity)).toBe(false);
});

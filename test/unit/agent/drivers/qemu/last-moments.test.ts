import { once } from "node:events";
import { expect, it } from "vitest";
import { endWhenStill } from "../../../../../agent/drivers/qemu/last-moments.js";
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

import { once } from "node:events";
import { expect, it } from "vitest";
import { insistOnEnd } from "../../../../../../agent/drivers/qemu/look/guestfs-session.js";
import { spawnOwned } from "../../../../../helpers/owned.js";

it("ends what does not end by itself, by force what was stopped, and leaves alone what it is told to", async () => {
  const [one, stopped, left] = [1, 2, 3].map(() => spawnOwned("sleep", ["600"], { stdio: "ignore" }));
  if (one === undefined || stopped === undefined || left === undefined) throw new Error("there are three");
  await Promise.all([one, stopped, left].map((each) => once(each, "spawn")));
  const ends = [one, stopped].map((each) => once(each, "exit"));
  stopped.kill("SIGSTOP");
  insistOnEnd(left, 1)[Symbol.dispose]();
  for (const each of [one, stopped]) insistOnEnd(each, 100);
  expect((await Promise.all(ends)).map(([, signal]) => signal)).toEqual(["SIGTERM", "SIGKILL"]);
  expect(left.signalCode).toBeNull();
  left.kill("SIGKILL");
});

import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { type Continued, isStopped, keepGoing } from "../../../../agent/host/stopped.js";
import { createLog } from "../../../../lib/log.js";
import { findIdentity, type ProcessIdentity } from "../../../../lib/process.js";
import { eventually } from "../../../helpers/eventually.js";
import { spawnOwned } from "../../../helpers/owned.js";

async function sleeper(): Promise<ProcessIdentity> {
  const child = spawnOwned("sleep", ["600"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  const identity = await findIdentity(child.pid ?? 0);
  if (identity === undefined) throw new Error("it does not run");
  return identity;
}

test("a daemon that is stopped goes on, and one that is not there is left alone", async () => {
  const [given, other] = [await sleeper(), await sleeper()];
  const gone = { ...other, startTicks: `${other.startTicks}1` };
  process.kill(other.pid, "SIGSTOP");
  await eventually(async () => expect(await isStopped(other)).toBe(true));
  expect(await isStopped(gone)).toBe(false);

  const closing = new AbortController();
  const continued: Continued[] = [];
  const find = async () => ({ given, gone });
  const log = createLog("test", { write: () => undefined });
  const going = keepGoing({ find, onContinued: (each) => continued.push(each), log, signal: closing.signal });
  process.kill(given.pid, "SIGSTOP");
  await eventually(() => expect(continued.map(({ name }) => name)).toEqual(["given"]));
  await eventually(async () => expect(await isStopped(given)).toBe(false));
  expect(await isStopped(other)).toBe(true);
  closing.abort();
  await going;
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { type Copy, startCopy } from "./copy.js";
import { FaultFleet } from "./fault-fleet.js";
import { killed } from "../../helpers/killed.js";

const mebibyte = 1024 * 1024;

let fleet: FaultFleet;

beforeAll(async () => {
  fleet = await FaultFleet.make();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** A copy from the lan of one host to that of the other. */
function copying(bytes: number, bytesPerSecond = 4 * mebibyte): Promise<Copy> {
  const [from, to] = fleet.stations;
  return startCopy({ from, to, bytes, bytesPerSecond, timeoutMs: 150_000 });
}

/** Waits until both ends carry frames this way. */
async function carriedBy(path: "direct" | "relayed"): Promise<void> {
  for (const host of fleet.hosts) {
    await eventually(async () => expect(await fleet.end(host)).toMatchObject({ path, phase: "active" }));
  }
}

/** Waits until the copy has moved more bytes. */
async function moving(bytes = 64 * 1024): Promise<void> {
  const [, b] = fleet.hosts;
  const { rxBytes } = await fleet.end(b);
  await eventually(async () => expect((await fleet.end(b)).rxBytes).toBeGreaterThan(rxBytes + bytes));
}

test("a cable notices nothing of the death of the far agent, and the next agent takes it over as it is", async () => {
  const [, far] = fleet.hosts;
  const copy = await copying(512 * mebibyte);
  await moving();
  const before = await fleet.end(far);
  await fleet.killAgent(far);
  await moving();
  await fleet.startAgent(far);
  copy.hurry();
  await copy.done;
  await fleet.active();
  const { connects, enginePid, tap } = await fleet.end(far);
  expect({ connects, enginePid, tap }).toEqual({
    connects: before.connects,
    enginePid: before.enginePid,
    tap: before.tap,
  });
});

test("a GiB arrives unchanged and without a long stall while its path changes twenty times", async () => {
  await carriedBy("direct");
  const copy = await copying(1024 * mebibyte, 10 * mebibyte);
  for (let round = 0; round < 10; round += 1) {
    const mend = await fleet.refuseDirect();
    await carriedBy("relayed");
    await moving(20 * mebibyte);
    await mend();
    await carriedBy("direct");
    await moving(20 * mebibyte);
  }
  expect(copy.ended()).toBe(false);
  copy.hurry();
  // Three seconds at most where nothing else runs; TCP tries again after three, and then after six.
  expect((await copy.done).longestStallMs).toBeLessThan(15_000);
});

test("with the hub dead for good, a cable survives a cut, the death of an engine and that of an agent", async () => {
  const [near, far] = fleet.hosts;
  await fleet.killHub();
  // More than is copied before it is told to hurry, however long the rest takes.
  const copy = await copying(512 * mebibyte);
  await moving();

  const wire = ["-n", near.namespace, "link", "set", "underlay"];
  await run("ip", [...wire, "down"]);
  await eventually(async () => expect((await fleet.end(far)).phase).toBe("down"));
  await run("ip", [...wire, "up"]);
  await fleet.active();
  await moving();

  const { enginePid } = await fleet.end(near);
  await killed(enginePid);
  await eventually(async () => expect((await fleet.end(near)).enginePid).not.toBe(enginePid));
  await fleet.active();
  await moving();

  await fleet.killAgent(far);
  await fleet.startAgent(far);
  await moving();
  expect(copy.ended()).toBe(false);
  copy.hurry();
  await copy.done;
  await fleet.active();
});

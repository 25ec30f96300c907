import { afterAll, beforeAll, expect, it } from "vitest";
import { ReachRig } from "../../integration/reach/rig.js";

const ids = ["c1", "c2", "c3", "c4", "c5", "c6"];

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
  for (const id of ids) await rig.create(id, { crun: { rootfs: "micro" }, nics: [{ lan: "lan1" }] });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** What `zor get instances` says of the state of each. */
async function states(): Promise<string[]> {
  const { stdout } = await rig.zor("get", "instances", "-o", "json");
  const { instances } = JSON.parse(stdout) as { instances: { status: { state: string } }[] };
  return instances.map(({ status }) => status.state.slice("INSTANCE_STATE_".length));
}

it("a wave goes on after its hub was killed in the middle, and does nothing twice", async () => {
  const names = ids.map((id) => `zt/${id}`);
  const begun = await rig.zor(
    "wave",
    "run",
    "stop",
    ...names,
    "--max-parallel",
    "1",
    "--yes",
    "--no-wait",
    "-o",
    "name",
  );
  expect(begun).toMatchObject({ code: 0 });
  const wave = begun.stdout.trim();
  await rig.hub.kill();
  await rig.hub.run();
  await rig.reconnect();
  expect(await rig.zor("wave", "wait", wave)).toMatchObject({ code: 0 });
  expect((await rig.zor("wave", "show", wave)).stdout).toMatch(/^(done {9}\S+\n){6}$/m);
  expect(await states()).toEqual(ids.map(() => "STOPPED"));

  // Followed to its end; what was started already fails, within what may.
  expect(await rig.zor("start", "zt/c1")).toMatchObject({ code: 0 });
  const spent = await rig.zor("wave", "run", "start", ...names, "--canary", "1");
  expect(spent).toMatchObject({ code: expect.any(Number), stdout: expect.stringMatching(/not begun {4}zt\/c6/) });
  expect(spent.code).not.toBe(0);
  const rest = await rig.zor(
    "wave",
    "run",
    "start",
    "--filter",
    "status.state = STOPPED",
    "--max-parallel",
    "3",
    "--yes",
  );
  expect(rest).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(done {9}\S+\n){5}$/) });
  expect(await states()).toEqual(ids.map(() => "RUNNING"));
  expect((await rig.zor("wave", "run", "strat", "zt/c1")).stderr).toMatch(/did you mean start\?/);
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hubServerName } from "../../../lib/tls/join.js";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { Session } from "../../../proto/gen/zor/v1/session.js";
import { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { type CliOptions, type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { WaveRig } from "./wave-rig.js";

/** A hub with so many running instances on each of two hosts, a wire between two of them, and zor with a context that leads there. */
async function start(each: number) {
  const rig = await WaveRig.start(2, each);
  const directory = await mkdtemp(join(tmpdir(), "zt-plan-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const context = { name: "zt", addresses: [rig.hub.address], serverName: hubServerName };
  await saveContext(directory, { ...context, identityDirectory: join(rig.hub.state, "admin") }, true);
  const [first] = rig.hosts;
  const spec = { a: "hosts/h0/instances/vm0/nics/eth0", b: "hosts/h0/instances/vm1/nics/eth0" };
  first?.log.upsert({ kind: "wire", value: Wire.fromPartial({ name: "hosts/h0/wires/w", spec }) });
  const run = (argv: readonly string[], options: CliOptions = {}): CliRun =>
    new CliRun(argv, { ...options, env: { ZOR_CONFIG: directory } });
  const zor = (...argv: string[]): Promise<CliResult> => run(argv).result;
  /** At a terminal, with an answer to the question. */
  const answered = async (answer: string, ...argv: string[]): Promise<CliResult> => {
    const running = run(argv, { columns: 100 });
    await running.stderr.sees(/\[y\/N\]|to do it:/);
    running.input.write(`${answer}\n`);
    return await running.result;
  };
  await expect.poll(async () => (await zor("get", "wires", "-o", "name")).stdout).toContain("w");
  return { rig, zor, answered };
}

test("the blast of a stop of everything is told, asked about with its number, and nothing happens without an answer", async () => {
  const { rig, zor, answered } = await start(12);
  for (const model of rig.hosts)
    for (const { name } of model.log.list("instance")) model.setState(name, InstanceState.INSTANCE_STATE_RUNNING);
  await expect
    .poll(
      async () =>
        (await zor("get", "instances", "--filter", "state=running", "-o", "name")).stdout.trim().split("\n").length,
    )
    .toBe(24);

  const shown = await zor("stop", "--all", "--dry-run");
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing was changed") });
  expect(shown.stderr).toContain("This would stop 24 instances on 2 hosts, cuts 1 wire:");
  expect(shown.stderr).toContain("and 14 more");
  const structured = await zor("stop", "--all", "--dry-run", "-o", "json");
  expect(JSON.parse(structured.stdout)).toMatchObject({ operation: { verb: "wave.instance.stop" } });
  expect(structured.stderr).toContain("stop 24 instances");

  const mute = await zor("stop", "--all");
  expect(mute.code).not.toBe(0);
  expect(mute.stderr).toMatch(/there is no terminal to ask on; add --yes/);
  for (const answer of ["", "y", "yes", "23"]) {
    expect(await answered(answer, "stop", "--all")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing was changed"),
    });
  }
  expect(await answered("no", "stop", "--filter", "host=h1")).toMatchObject({ code: 1 });
  expect(await answered("n", "wave", "run", "stop", "h0/vm0", "h0/vm1")).toMatchObject({ code: 1 });
  expect(rig.asked.size).toBe(0);

  // Up to twenty a "y" is enough; what is stopped already is left out and named.
  expect(await answered("y", "stop", "--filter", "host=h1")).toMatchObject({ code: 0 });
  expect([rig.done.size, [...rig.done.keys()].every((name) => name.startsWith("hosts/h1/"))]).toEqual([12, true]);
  const rest = await zor("stop", "--all", "--dry-run");
  expect(rest.stderr).toContain("This would stop 12 instances, cuts 1 wire:");
  expect(rest.stderr).toContain("Left out (12):");

  const done = await zor("stop", "--all", "--yes", "-o", "json");
  expect(done.code).toBe(0);
  const { wave } = JSON.parse(done.stdout) as { wave: { items: { state: string }[] } };
  expect(wave.items.map(({ state }) => state)).toEqual(Array(12).fill("WAVE_ITEM_STATE_SUCCEEDED"));
  expect([...rig.done.values()]).toEqual(Array(24).fill(1));
  const nothing = await zor("stop", "--all", "--yes");
  expect(nothing).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/nothing to stop: h0\/vm0: .* \(and 23 more\)/),
  });
});

test("people at consoles of what is stopped are told, and whose they are; one's own as well", async () => {
  const { rig, zor } = await start(2);
  const [first] = rig.hosts;
  const target = "hosts/h0/instances/vm0";
  for (const [id, caller] of [
    ["s1", "zor://user/bob"],
    ["s2", "zor://user/admin"],
  ] as const) {
    const value = Session.fromPartial({ name: `hosts/h0/sessions/${id}`, target, caller, type: 1, writable: true });
    first?.log.upsert({ kind: "session", value });
  }
  for (const { name } of first?.log.list("instance") ?? []) first?.setState(name, InstanceState.INSTANCE_STATE_RUNNING);
  const ready = async (): Promise<string> =>
    (await zor("get", "sessions", "-o", "name")).stdout +
    (await zor("get", "instances", "--filter", "state=running", "-o", "name")).stdout;
  await expect.poll(ready).toMatch(/s2[\s\S]*vm1/);
  const shown = await zor("stop", "--all", "--dry-run");
  expect(shown.stderr).toContain("This would stop 2 instances, cuts 2 sessions (1 of bob), 1 wire:");
  expect(shown.stderr).toMatch(/Also affected:[\s\S]*bob loses the console of h0\/vm0/);
});

test("more than twenty are confirmed by their number; what else is asked for is checked; another wave for what is left is asked about", async () => {
  const { rig, zor, answered } = await start(12);
  const bad = await zor("wave", "run", "shutdown", "h0/vm0", "--with", '{"timeoutSecond": 3}', "--yes");
  expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/--with.*ShutdownInstanceRequest/) });
  for (const model of rig.hosts)
    for (const { name } of model.log.list("instance")) model.setState(name, InstanceState.INSTANCE_STATE_RUNNING);
  await expect
    .poll(
      async () =>
        (await zor("get", "instances", "--filter", "state=running", "-o", "name")).stdout.trim().split("\n").length,
    )
    .toBe(24);

  // All but the first fail: they are not there.
  const gone = ["h0/none1", "h0/none2"];
  const failed = await zor("wave", "run", "stop", "h0/vm0", ...gone, "--yes", "-o", "name");
  expect(failed.code).not.toBe(0);
  const id = failed.stdout.trim().split("/").at(-1) ?? "";
  const refused = await answered("n", "wave", "again", id);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("This would stop 2 instances") });
  expect((await zor("wave", "again", id)).stderr).toMatch(/no terminal to ask on/);
  expect((await zor("wave", "again", id, "--yes")).stdout).toMatch(/^(failed|not begun)/m);

  expect(await answered("23", "wave", "run", "stop", "--all", "--with", "{}")).toMatchObject({ code: 0 });
  expect([...rig.done.values()].filter((each) => each === 1)).toHaveLength(24);
});

import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { Terminal } from "../../helpers/tmux.js";
import { ReachRig } from "../../integration/reach/rig.js";

const ids = ["c1", "c2", "c3"];
const names = ids.map((id) => `zt/${id}`);

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
  const { instances } = JSON.parse((await rig.zor("get", "instances", "-o", "json")).stdout) as {
    instances: { status: { state: string } }[];
  };
  return instances.map(({ status }) => status.state.slice("INSTANCE_STATE_".length));
}

it("a wave tells what is unconfirmed while a host answers nothing, goes on when it is back, and asks for nothing twice", async () => {
  const env = Object.entries(rig.env).map(([key, value]) => `${key}='${value}'`);
  const program = join(installationRoot, "zor");
  const line = `env ${env.join(" ")} LC_ALL=C.UTF-8 XDG_STATE_HOME=${rig.directory} ${program} tui; sleep 3600`;
  await using terminal = await Terminal.open(line, { columns: 80, rows: 24 }, join(rig.directory, "screen"));
  await terminal.sees("● live");

  const told = rig.watchEvents();
  const { pid } = rig.agent;
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => void process.kill(pid, "SIGCONT"));
  const begun = await rig.zor(
    "wave",
    "run",
    "stop",
    ...names,
    "--max-parallel",
    "2",
    "--yes",
    "--no-wait",
    "-o",
    "name",
  );
  expect(begun).toMatchObject({ code: 0 });
  const wave = begun.stdout.trim();
  const show = async (): Promise<string> => (await rig.zor("wave", "show", wave)).stdout;
  await expect.poll(show, { timeout: 120_000 }).toMatch(/^instances {2}2 unconfirmed, 1 waits$/m);
  const shown = await show();
  expect(shown).toMatch(/^state {6}running$/m);
  expect(shown).toMatch(/^unconfirmed {2}zt\/c1: hosts\/zt .*may have been carried out or not.*asked again/m);
  expect(shown).not.toContain("failed");
  await terminal.press(":", "wave", "Enter");
  const screen = await terminal.sees(/\? unconfirmed \(2\)/, 60_000);
  expect(screen).toMatch(/stop 3 instances {2}◐ running/);
  expect(screen).toMatch(/0 of 3 done {2}\? 2 unconfirmed {2}· 1 waits/);
  expect(screen).not.toMatch(/✗ \d+ failed|✗ failed/);

  process.kill(pid, "SIGCONT");
  await terminal.sees(/● succeeded[\s\S]*3 of 3 done/, 180_000);
  expect(await rig.zor("wave", "wait", wave)).toMatchObject({ code: 0 });
  expect(await show()).toMatch(/^(done {9}\S+\n){3}$/m);
  expect(await states()).toEqual(ids.map(() => "STOPPED"));
  const stops = (): string[] => told.filter((each) => each.startsWith("instance.stopped "));
  await expect.poll(() => stops().length).toBe(3);
});

it("one whose host does not come back ends as unconfirmed, looks different from one that failed, and is done by another wave", async () => {
  await rig.ready();
  const { pid } = rig.agent;
  process.kill(pid, "SIGSTOP");
  onTestFinished(() => void process.kill(pid, "SIGCONT"));
  const begun = await rig.zor("wave", "run", "start", ...names, "--max-parallel", "1", "--no-wait", "-o", "name");
  const wave = begun.stdout.trim();
  const show = async (): Promise<string> => (await rig.zor("wave", "show", wave)).stdout;
  await expect.poll(show, { timeout: 120_000 }).toMatch(/^unconfirmed {2}zt\/c1: /m);
  // Nobody waits for it any more.
  for (let time = 0; time < 2; time += 1) expect(await rig.zor("wave", "cancel", wave)).toMatchObject({ code: 0 });
  expect((await rig.zor("wave", "wait", wave)).code).not.toBe(0);
  expect(await show()).toMatch(/^unconfirmed {2}zt\/c1: .*look at it\nnot begun {4}zt\/c2\nnot begun {4}zt\/c3$/m);
  process.kill(pid, "SIGCONT");
  await rig.ready();
  const again = await rig.zor("wave", "again", wave, "--yes");
  // The first may have been started by what it was asked for before; then it says so.
  expect(again.stdout + again.stderr).toMatch(/zt\/c1/);
  await expect.poll(async () => (await states())[0], { timeout: 60_000 }).toBe("RUNNING");
});

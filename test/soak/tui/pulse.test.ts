import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { Terminal } from "../../helpers/tmux.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
  for (const id of ["busy", "idle"]) await rig.create(id, { crun: { rootfs: "micro" }, nics: [{ lan: "lan1" }] });
  await rig.answers("busy");
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

it("the pulse tells who uses the most, and the sums of all, of a real hub", async () => {
  await using work = new AsyncDisposableStack();
  const busy = rig.program("exec", "zt/busy", "--", "sh", "-c", "while :; do :; done");
  work.defer(() => busy.kill("SIGTERM"));
  const env = Object.entries(rig.env).map(([key, value]) => `${key}='${value}'`);
  const line = `env ${env.join(" ")} LC_ALL=C.UTF-8 XDG_STATE_HOME=${rig.directory} ${join(installationRoot, "zor")} tui; sleep 3600`;
  await using terminal = await Terminal.open(line, { columns: 80, rows: 24 }, join(rig.directory, "screen"));
  await terminal.sees("● live");
  await terminal.press("0");
  const screen = await terminal.sees(/INSTANCE, by processors[\s\S]*zt\/busy +\d\d+\.\d%/, 60_000);
  expect(screen).toMatch(/processors +\d+\.\d\d cores of all hosts/);
  expect(screen).toMatch(/traffic +[\d.]+ ?\w*\/s of all instances/);
  await terminal.press("Tab");
  await terminal.sees(/INSTANCE, by memory[\s\S]*zt\/(busy|idle) /, 60_000);
  await terminal.press("Tab", "Tab");
  await terminal.sees(/INSTANCE, by traffic/);
});

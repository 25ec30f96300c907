import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { freePort } from "../../helpers/free-port.js";
import { Terminal } from "../../helpers/tmux.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

it.each([
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
])("what is done to hosts by ssh is seen on a screen of its own, at $columns x $rows", async (size) => {
  const env = Object.entries(rig.env).map(([key, value]) => `${key}='${value}'`);
  const variables = `${env.join(" ")} HOME=${rig.directory} LC_ALL=C.UTF-8 XDG_STATE_HOME=${rig.directory}`;
  const line = `env ${variables} ${join(installationRoot, "zor")} tui; echo "code $?"; sleep 3600`;
  await using terminal = await Terminal.open(line, size, join(rig.directory, `screen${size.columns}`));
  await terminal.sees("● live");
  // Nothing listens there: the first fails, and the other one is not begun.
  const [one, two] = [await freePort(), await freePort()];
  await terminal.press(":", `rollback zt=root@127.0.0.1:${one} other=root@127.0.0.1:${two} --canary 1`, "Enter");
  const screen = await terminal.sees(/✗ failed \(1\)[\s\S]*○ not begun \(1\)/, 60_000);
  expect(screen).toMatch(/rollback 2 hosts {2}✗ failed/);
  expect(screen).toMatch(/✗ zt +\d+s +\S+/);
  await terminal.press("r");
  await terminal.sees(/once\s+more\? y goes ahead/);
  await terminal.press("n");
  await terminal.press(":", "quit", "Enter");
  await terminal.sees("code 0");
});

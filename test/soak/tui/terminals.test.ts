import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodePath } from "../../../lib/program.js";
import { FakeHub } from "../../fakes/fleet-hub.js";
import { bundle } from "../../helpers/bundle.js";
import { eventually } from "../../helpers/eventually.js";
import { Terminal } from "../../helpers/tmux.js";
import { expectToFit, leave, sizes } from "./demo-terminals.js";

let directory: string;
let hub: FakeHub;
let runs = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-terminals-"));
  await bundle("tui/main.tsx", join(directory, "tui.mjs"));
  hub = new FakeHub(directory, { hosts: 3, instancesPerHost: 6, unreachable: 1, hostile: true, nowMs: Date.now() });
  await hub.start();
});
afterAll(async () => {
  hub.stop();
  await rm(directory, { recursive: true, force: true });
});

/** @param before a line of the shell that runs first. */
function open(size: (typeof sizes)[number], { before = ":", variables = "" } = {}): Promise<Terminal> {
  runs += 1;
  const all = `LC_ALL=C.UTF-8 ZOR_CONFIG=${hub.configDirectory} XDG_STATE_HOME=${directory} ${variables}`;
  const line = `${before}; env ${all} ${nodePath} ${join(directory, "tui.mjs")} tui; echo "code $?"; sleep 600`;
  return Terminal.open(line, size, join(directory, `run${runs}`));
}

/** How each line begins, which does not change with time: ages grow, and what stands behind them is cut earlier. */
const body = (screen: string): readonly string[] =>
  screen
    .split("\n")
    .slice(1, -2)
    .map((line) => line.trim().split(/\s+/).slice(0, 4).join(" "));

describe.each(sizes)("a terminal of $columns x $rows", (size) => {
  it("takes what is typed before the program is there, and shows every line of the first frame", async () => {
    await using terminal = await open(size, { before: "printf ready; read -r _" });
    await terminal.sees("ready");
    await terminal.press("Enter", "2");
    const screen = await terminal.sees(/── instances 26/);
    expect(screen).toMatch(/^ zor fake /);
    expectToFit(screen, size);
    await leave(terminal);
  });

  it("may be resized fifty times in five seconds, and shows the same afterwards", async () => {
    await using terminal = await open(size);
    await terminal.sees("● live");
    for (const [word, shown] of [
      ["instances", "── instances 26"],
      ["map", "→ map of"],
      ["pulse", "Wrong now"],
    ] as const) {
      await terminal.press(":", word, "Enter");
      const before = body(await terminal.sees(shown));
      for (let turn = 0; turn < 50; turn += 1) {
        // Not awaited by its program.
        const [columns, rows] = [40 + ((turn * 97) % 261), 8 + ((turn * 53) % 93)];
        await terminal.tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
      }
      await terminal.resize(size.columns, size.rows);
      if (word === "pulse") await terminal.sees(shown);
      else await eventually(async () => expect(body(await terminal.screen())).toEqual(before));
      expectToFit(await terminal.screen(), size);
    }
    await leave(terminal);
  });

  it.each([
    ["TERM=linux", /^ zor fake .*■ live/],
    ["TERM=screen", /^ zor fake .*● live/],
    ["NO_COLOR=1", /^ zor fake .*● live/],
  ])("is drawn on with %s", async (variables, wanted) => {
    await using terminal = await open(size, { variables });
    expectToFit(await terminal.sees(wanted), size);
    const drawn = await terminal.tmux("capture-pane", "-p", "-e");
    const hasColours = /\x1b\[(?:\d+;)*3[1-7]m/.test(drawn);
    expect(hasColours).toBe(variables !== "NO_COLOR=1");
    await leave(terminal);
  });

  it("that cannot draw a screen is told in lines", async () => {
    await using terminal = await open(size, { variables: "TERM=dumb" });
    await terminal.sees("help says what can be said");
    await terminal.press("quit", "Enter");
    await terminal.sees("code 0");
  });
});

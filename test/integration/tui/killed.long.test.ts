import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findIdentity, waitForExit } from "../../../lib/process.js";
import { nodePath } from "../../../lib/program.js";
import { FakeHub } from "../../fakes/fleet-hub.js";
import { bundle } from "../../helpers/bundle.js";
import { childrenOf } from "../../helpers/tmux.js";
import { expectRestored } from "./restored.js";
import { openShell, pidOf, startRun } from "./terminal-run.js";

let directory: string;
let hub: FakeHub;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-killed-"));
  await bundle("tui/main.tsx", join(directory, "tui.mjs"));
  hub = new FakeHub(directory, { hosts: 2, instancesPerHost: 3, nowMs: Date.now() });
  await hub.start();
});

afterAll(async () => {
  hub.stop();
  await rm(directory, { recursive: true, force: true });
});

const shellLine = (): string =>
  `env LC_ALL=C.UTF-8 ZOR_CONFIG=${hub.configDirectory} XDG_STATE_HOME=${directory} ${nodePath} ${join(directory, "tui.mjs")} tui`;

describe("zor tui that is killed", () => {
  it.each<readonly [NodeJS.Signals, number]>([
    ["SIGKILL", 137],
    ["SIGSEGV", 139],
  ])("has the terminal given back as it was when %s gives it no time to", async (signal, code) => {
    // Nobody waits for who gives it back but a shell with job control, which needs not.
    const { terminal } = await startRun(shellLine(), {
      directory,
      afterwards: "until stty -a | grep -q ' icanon'; do :; done;",
    });
    await using _ = terminal;
    await terminal.sees("● live");
    process.kill(await pidOf(terminal), signal);
    await expectRestored(terminal, code);
    await terminal.sees("zor tui was killed; what it had to say is in");
  });

  it("leaves a shell its own terminal when it is killed, and says nothing when it is killed while it is stopped", async () => {
    await using terminal = await openShell(directory);
    await terminal.press(shellLine(), "Enter");
    await terminal.sees("● live");
    process.kill(await pidOf(terminal), "SIGKILL");
    await terminal.sees("zor tui was killed");
    expect(await terminal.fact("alternate_on")).toBe("0");
    await terminal.press("clear; echo $((40 + 2))", "Enter");
    await terminal.sees(/^42$/m);
    await terminal.press(shellLine(), "Enter");
    await terminal.sees("● live");
    const keepers = await Promise.all((await childrenOf(await pidOf(terminal))).map(findIdentity));
    expect(keepers).toHaveLength(1);
    await terminal.press("C-z");
    await terminal.sees("Stopped");
    await terminal.press("clear; stty -a | grep -o ' icanon'; kill -9 %1; wait; echo $((50 + 3))", "Enter");
    await terminal.sees(/^53$/m);
    for (const keeper of keepers) if (keeper !== undefined) expect(await waitForExit(keeper, 60_000)).toBe(true);
    expect(await terminal.screen()).not.toContain("zor tui was killed");
  });
});

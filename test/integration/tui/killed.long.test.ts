import { existsSync } from "node:fs";
import { mkdtemp, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findIdentity, waitForExit } from "../../../lib/process.js";
import { launcherPath, nodePath, programPath } from "../../../lib/program.js";
import { FakeHub } from "../../fakes/fleet-hub.js";
import { bundle } from "../../helpers/bundle.js";
import { childrenOf } from "../../helpers/tmux.js";
import { expectRestored } from "./restored.js";
import { openShell, pidOf, startRun } from "./terminal-run.js";

let directory: string;
let hub: FakeHub;

beforeAll(async () => {
  if (!existsSync(programPath("tui"))) throw new Error("dist/tui.cjs is missing: npm run build");
  directory = await mkdtemp(join(tmpdir(), "zt-killed-"));
  await bundle("tui/main.tsx", join(directory, "tui.mjs"));
  hub = new FakeHub(directory, { hosts: 2, instancesPerHost: 3, nowMs: Date.now() });
  await hub.start();
});

afterAll(async () => {
  hub.stop();
  await rm(directory, { recursive: true, force: true });
});

const shellLine = (program: string): string =>
  `env LC_ALL=C.UTF-8 ZOR_CONFIG=${hub.configDirectory} XDG_STATE_HOME=${directory} ${program} tui`;
const alone = (): string => shellLine(`${nodePath} ${join(directory, "tui.mjs")}`);
const launched = (): string => shellLine(launcherPath);

const ways: readonly (readonly [string, () => string])[] = [
  ["begins who keeps the terminal itself", alone],
  ["has a launcher that begins who keeps the terminal", launched],
];
const signals: readonly (readonly [NodeJS.Signals, number])[] = [
  ["SIGKILL", 137],
  ["SIGSEGV", 139],
];

describe.each(ways)("zor tui that is killed and %s", (_title, line) => {
  it.each(signals)("has the terminal given back as it was when %s gives it no time to", async (signal, code) => {
    // A shell does not wait for who gives it back: whoever reads the words does, and tells it. Node itself undoes raw mode at SIGSEGV, before.
    const { terminal } = await startRun(line(), { directory, afterwards: "read -r _;" });
    await using _ = terminal;
    await terminal.sees("● live");
    process.kill(await pidOf(terminal), signal);
    await terminal.sees("zor tui was killed; what it had to say is in");
    await terminal.press("Enter");
    await expectRestored(terminal, code);
  });

  it("leaves a shell its own terminal, and says nothing when it is killed while it is stopped", async () => {
    await using terminal = await openShell(directory);
    await terminal.press(line(), "Enter");
    await terminal.sees("● live");
    process.kill(await pidOf(terminal), "SIGKILL");
    await terminal.sees("zor tui was killed");
    expect(await terminal.fact("alternate_on")).toBe("0");
    await terminal.press("clear; echo $((40 + 2))", "Enter");
    await terminal.sees(/^42$/m);
    await terminal.press(line(), "Enter");
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

describe("who keeps the terminal of zor tui", () => {
  it("is begun once, hears of the program by a pipe without a name, and ends with it", async () => {
    const { terminal } = await startRun(launched(), { directory });
    await using _ = terminal;
    await terminal.sees("● live");
    const pid = await pidOf(terminal);
    const keepers = await childrenOf(pid);
    expect(keepers).toHaveLength(1);
    const [keeper = Number.NaN] = keepers;
    const pipe = await readlink(`/proc/${pid}/fd/9`);
    expect(pipe).toBe(`/tmp/zor-terminal.${pid} (deleted)`);
    expect(await readlink(`/proc/${keeper}/fd/0`)).toBe(pipe);
    const identity = await findIdentity(keeper);
    if (identity === undefined) throw new Error("it has ended");
    await terminal.press("q");
    await expectRestored(terminal, 0);
    expect(await waitForExit(identity, 60_000)).toBe(true);
  });

  it("is begun by the program where the launcher cannot", async () => {
    await using terminal = await openShell(directory);
    const bin = join(directory, "bin");
    await terminal.press(`mkdir ${bin}; ln -s /bin/false ${bin}/mkfifo; export PATH=${bin}:$PATH`, "Enter");
    await terminal.press(launched(), "Enter");
    await terminal.sees("● live");
    const pid = await pidOf(terminal);
    await expect.poll(() => childrenOf(pid)).toHaveLength(1);
    const [keeper] = await childrenOf(pid);
    expect(await readlink(`/proc/${keeper}/fd/0`)).not.toContain("zor-terminal");
    process.kill(pid, "SIGKILL");
    await terminal.sees("zor tui was killed");
  });
});

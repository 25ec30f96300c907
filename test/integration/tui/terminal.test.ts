import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import stringWidth from "string-width";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { nodePath } from "../../../lib/program.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { FakeHub } from "../../fakes/fleet-hub.js";
import { loadContext, saveContext } from "../../../tui/client/contexts.js";
import { bundle } from "../../helpers/bundle.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { expectRestored } from "./restored.js";
import { openShell, pidOf, type Run, startRun } from "./terminal-run.js";

let directory: string;
let hub: FakeHub;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-tui-"));
  await bundle("tui/main.tsx", join(directory, "tui.mjs"));
  await bundle("test/fakes/crashing-tui.ts", join(directory, "crash.mjs"));
  hub = new FakeHub(directory, { hosts: 3, instancesPerHost: 6, unreachable: 1, hostile: true, nowMs: Date.now() });
  await hub.start();
});

afterAll(async () => {
  hub.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Starts a program between two looks at the terminal's settings; the last line tells whether they are the same. */
function start(program: string, size = { columns: 80, rows: 24 }, variables = ""): Promise<Run> {
  return startRun(shellLine(program, variables), { directory, size });
}

const environment = () => `LC_ALL=C.UTF-8 ZOR_CONFIG=${hub.configDirectory} XDG_STATE_HOME=${directory}`;

const shellLine = (program: string, variables = "") => `env ${environment()} ${variables} ${nodePath} ${program}`;

const tui = (options = "") => `${join(directory, "tui.mjs")} tui ${options}`;

describe("zor tui in a real terminal", () => {
  it("shows the fleet, follows a resize, and leaves the terminal as it was on q", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees(/beta +● ready/);
    await terminal.sees(/gamma +✗ unreachable \d+s/);
    expect(await terminal.fact("alternate_on")).toBe("1");
    await terminal.press("2");
    await terminal.sees("── instances 26");
    await terminal.resize(160, 40);
    const wide = await terminal.sees(/DRIVER.* AGE .* PID/);
    for (const line of wide.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(160);
    await terminal.resize(64, 16);
    await terminal.sees(/^── instances 26 ─+ 1-9 of 26 ──$/m);
    await terminal.resize(40, 8);
    await terminal.sees("terminal is 40x8");
    await terminal.resize(80, 24);
    const back = await terminal.sees(/^── instances 26 ─+ 1-17 of 26 ──$/m);
    expect(back.split("\n").filter((line) => line.includes("── instances"))).toHaveLength(1);
    await terminal.press("q");
    await expectRestored(terminal, 0);
  });

  it("goes to another hub, shows both as one, and asks each for its own", async () => {
    const place = await mkdtemp(join(directory, "paris-"));
    const paris = new FakeHub(place, { hosts: 1, instancesPerHost: 2, nowMs: Date.now() });
    onTestFinished(() => paris.stop());
    await paris.start();
    const context = await loadContext({ env: { ZOR_CONFIG: paris.configDirectory } });
    await saveContext(hub.configDirectory, { ...context, name: "paris" }, false);
    const { terminal } = await start(tui("--first instances"));
    await using _ = terminal;
    await terminal.sees("── instances 26");
    await terminal.press(":", "instances @paris", "Enter");
    await terminal.sees(/^ zor paris [\s\S]*── instances 2 /m);
    await terminal.press(":", "ctx paris+fake", "Enter");
    await terminal.sees("this is paris+fake now");
    await terminal.press(":", "instances alpha@paris", "Enter");
    await terminal.sees(/vm1 +(?:paris +)?alpha@paris +○ stopped/);
    await terminal.press("j", "s");
    await terminal.sees(/vm1 +(?:paris +)?alpha@paris +● running/);
    expect(paris.calls).toContain("start hosts/alpha/instances/vm1");
    paris.stop();
    await terminal.press(":", "hosts", "Enter");
    await terminal.sees(/● 1 of 2 live, ✗ paris lost/);
    const both = await terminal.sees(/beta@fake +(?:fake +)?● ready/);
    expect(both).toMatch(/alpha@paris/);
    await terminal.press("q");
    await expectRestored(terminal, 0);
  });

  it("starts an instance: pending first, running when the event comes", async () => {
    const { terminal } = await start(tui("--host beta"));
    await using _ = terminal;
    const effect = Promise.withResolvers<void>();
    hub.mayGoOn = effect.promise;
    await terminal.sees(/vm1 +beta +○ stopped/);
    await terminal.press("j", "s");
    await terminal.sees(/vm1 +beta +○ stopped → start \d+s/);
    effect.resolve();
    expect(hub.calls).toContain("start hosts/beta/instances/vm1");
    await terminal.sees(/vm1 +beta +● running +\S/);
  });

  it("shows a console in its screen, sends it every key but one, and comes back with the screen intact", async () => {
    const { terminal } = await start(tui("--host alpha"));
    await using _ = terminal;
    await terminal.sees(/vm0 +alpha +● running/);
    await terminal.press("/", "vm0", "Enter");
    await terminal.sees(/❯ vm0 +alpha +● running/);
    const before = await terminal.sees(/ 1 of \d+ \/vm0/);
    const body = (screen: string) => screen.split("\n").slice(2, 21);
    await terminal.press("c");
    await terminal.sees(/console alpha\/vm0 typing ─[\s\S]*guest console raw/);
    await terminal.press("hello", "C-c", "?");
    await terminal.sees("HELLO");
    expect(await terminal.fact("alternate_on")).toBe("1");
    await terminal.resize(100, 30);
    await terminal.sees(/^guest console raw/m);
    await terminal.resize(80, 24);
    await terminal.press("C-]");
    await terminal.sees(/console alpha\/vm0 ─/);
    await terminal.press("Escape");
    await eventually(async () => expect(body(await terminal.screen())).toEqual(body(before)));
    await terminal.press("c");
    await terminal.sees("HELLO");
    await terminal.press("q");
    await terminal.sees("the guest hung up \\x1b[2J");
    await terminal.press("C-]", "D");
    await eventually(async () => expect(body(await terminal.screen())).toEqual(body(before)));
  });

  it("gives the whole terminal to a console and comes back with the screen intact", async () => {
    const { terminal } = await start(tui("--host alpha"));
    await using _ = terminal;
    await terminal.sees(/vm0 +alpha +● running/);
    await terminal.press("/", "vm0", "Enter");
    await terminal.sees(/❯ vm0 +alpha +● running/);
    const before = await terminal.sees(/ 1 of \d+ \/vm0/);
    for (const leave of ["C-]", "q"]) {
      await terminal.press(":", "attach", "Enter");
      await terminal.sees("guest console raw");
      await eventually(async () => expect(await terminal.fact("alternate_on")).toBe("0"));
      await terminal.press("hello");
      await terminal.sees("HELLO");
      await terminal.press(leave);
      await terminal.sees(leave === "q" ? "the guest hung up \\x1b[2J" : "detached from the console");
      const body = (screen: string) => screen.split("\n").slice(2, 21);
      await eventually(async () => expect(body(await terminal.screen())).toEqual(body(before)));
    }
  });

  it("leaves what a login that failed has said on the terminal until a key is pressed", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees(/beta +● ready/);
    await terminal.press("2");
    await terminal.sees("── instances 26");
    await terminal.press("t");
    await terminal.sees(/ssh ended with \d+; press a key to go back/);
    await terminal.press("Escape");
    await terminal.sees(/── instances 26[\s\S]*ssh ended with \d+; zor ssh \S+ shows why/);
    await terminal.press("q");
    await expectRestored(terminal, 0);
  });

  it("diagnoses a link, hop by hop", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    const second = Promise.withResolvers<void>();
    hub.mayGoOn = second.promise;
    await terminal.sees("● live");
    await terminal.press("4", "D");
    await terminal.sees(/● alpha lan +lan1 \\x1b\[2J is there/);
    await terminal.sees(/conclusion +◐ not yet/);
    second.resolve();
    await terminal.sees(/conclusion +✗ beta: engine is broken/);
    await terminal.sees(/what to do +start the agent of beta/);
    await terminal.press("Escape");
    await terminal.sees("── links 2");
  });

  it("draws the map, walks over it, and keeps to the terminal at every size", async () => {
    const { terminal } = await start(tui("--host beta"));
    await using _ = terminal;
    await terminal.sees(/vm3 +beta +○ stopped/);
    await terminal.press("j", "j", "j", "b");
    await terminal.sees("instance beta/vm3 stopped, eth0 10.0.0.4 in beta/lan1");
    await terminal.press("-");
    await terminal.sees("host beta ready");
    await terminal.sees(/╭─ ✗ gamma /);
    await terminal.press("+", "+");
    await terminal.sees("instance beta/vm3 stopped");
    for (const [columns, rows] of [
      [200, 50],
      [60, 12],
      [80, 24],
    ] as const) {
      await terminal.resize(columns, rows);
      const screen = await terminal.sees(/○ vm3 +eth0 10\.0\.0\.4/);
      for (const line of screen.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
    }
    // By itself: an escape with a letter right behind it is another key.
    await terminal.press("Escape");
    await terminal.sees("── instances(beta)");
    await terminal.press("q");
    await expectRestored(terminal, 0);
  });

  it("goes to the shell on ctrl-z, with the terminal as it was, and comes back with the screen intact", async () => {
    await using terminal = await openShell(directory);
    await terminal.press(shellLine(tui("--host alpha")), "Enter");
    await terminal.sees(/vm0 +alpha +● running/);
    await terminal.press("/", "vm0", "Enter");
    const before = await terminal.sees(/ 1 of \d+ \/vm0/);
    await terminal.press("C-z");
    await terminal.sees("Stopped");
    expect(await terminal.fact("alternate_on")).toBe("0");
    expect(await terminal.fact("cursor_flag")).toBe("1");
    await terminal.press("stty -a | grep -o ' icanon'", "Enter");
    await terminal.sees(/^ icanon$/m);
    await terminal.resize(90, 30);
    await terminal.press("fg", "Enter");
    await terminal.sees(/^── instances\(alpha\) 1 of \d+ \/vm0 ─+$/m);
    expect(await terminal.fact("alternate_on")).toBe("1");
    await terminal.resize(80, 24);
    const body = (screen: string) => screen.split("\n").slice(2, 21);
    await eventually(async () => expect(body(await terminal.screen())).toEqual(body(before)));
    await terminal.press("q");
    await eventually(async () => expect(await terminal.fact("alternate_on")).toBe("0"));
  });

  it("goes on when there is no shell to go to on ctrl-z", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees("● live");
    await terminal.press("C-z");
    await terminal.sees("nothing is there that could continue this program");
    await terminal.press("2");
    await terminal.sees("── instances 26");
    await terminal.press("q");
    await expectRestored(terminal, 0);
  });

  it("keeps what was known while the hub is away, and resumes", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees(/● live/);
    hub.stop();
    const lost = await terminal.sees(/✗ reconnecting, last heard \d+s ago/);
    expect(lost).toMatch(/beta +● ready/);
    await hub.start();
    await terminal.sees(/● live/, 40_000);
  });

  it("writes nothing of a hostile name, label, reason or event to the terminal", async () => {
    const { terminal, recorded } = await start(tui(), { columns: 200, rows: 50 });
    await using _ = terminal;
    await terminal.sees("● live");
    await terminal.press("2");
    await terminal.sees("\\x1b]0;owned\\x07");
    await terminal.press("d");
    await terminal.sees("→ instance alpha/\\x1b[2Jname\\u202e");
    await terminal.press("y");
    await terminal.sees("yaml");
    await terminal.press("6");
    await terminal.sees("abc\\u202egnp.exe");
    await terminal.press(":", "q", "Enter");
    await terminal.sees("settings kept");
    const written = await recorded();
    // Of the sequences a terminal acts on only the program's own are there: colours, cursor, erase, modes.
    const rest = written.replace(
      /\x1b\[[0-9;]*[A-KmGHJ]|\x1b\[\?(7|25|1049|2004|2026|1|1000|1002|1003|1006)[hl]|\x1b\(B|\x1b>/g,
      "",
    );
    expect(rest).not.toMatch(/[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/);
    expect(written).not.toContain("\x1b[2J");
    expect(written).not.toContain("\x1b[31mred");
  });

  it.each<readonly [NodeJS.Signals, number]>([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ])("leaves the terminal as it was on %s", async (signal, code) => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees("● live");
    process.kill(await pidOf(terminal), signal);
    await expectRestored(terminal, code);
  });

  it("leaves the terminal as it was on SIGTERM while a console is attached", async () => {
    const { terminal } = await start(tui("--host alpha"));
    await using _ = terminal;
    await terminal.sees(/vm0 +alpha +● running/);
    await terminal.press(":", "attach", "Enter");
    await terminal.sees("guest console raw");
    process.kill(await pidOf(terminal), "SIGTERM");
    await expectRestored(terminal, 143);
  });

  it("leaves the terminal as it was on ctrl-c twice", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees("● live");
    await terminal.press("C-c");
    await terminal.sees("press ctrl-c again to quit");
    // That holds for two seconds, which a busy machine may take to get here: then these are the two.
    await terminal.press("C-c", "C-c");
    await expectRestored(terminal, 0);
  });

  it("leaves the terminal as it was when it crashes, and says where to look", async () => {
    const log = join(directory, "crash.log");
    const { terminal } = await start(`${join(directory, "crash.mjs")} ${log}`);
    await using _ = terminal;
    await expectRestored(terminal, 70);
    expect(await terminal.screen()).toContain("broken on purpose");
    expect(await readFile(log, "utf8")).toContain("broken on purpose");
  });

  it("ends when its terminal is gone", async () => {
    const { terminal } = await start(tui());
    await terminal.sees("● live");
    const pid = await pidOf(terminal);
    await terminal[Symbol.asyncDispose]();
    await eventually(() => expect(() => process.kill(pid, 0)).toThrow());
  });

  it.each<readonly [string, readonly string[], number, RegExp]>([
    ["there is no terminal", [], 2, /needs a terminal.*zor get instances -o json/],
    ["an option is unknown", ["--nonsense"], 2, /unknown option/],
    ["an argument is too many", ["bogus"], 2, /too many arguments/],
    ["help is asked for", ["--help"], 0, /Examples:[\s\S]*zor tui --read-only/],
  ])("says what it needs when %s", async (_title, words, code, text) => {
    const child = spawnOwned(nodePath, [join(directory, "tui.mjs"), "tui", ...words], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [said, failed] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
    expect(said + failed).toMatch(text);
    expect(child.exitCode ?? (await once(child, "exit"))[0]).toBe(code);
  });

  it("says lines, and draws nothing, with TERM=dumb", async () => {
    const { terminal, recorded } = await start(tui(), { columns: 80, rows: 24 }, "TERM=dumb");
    await using _ = terminal;
    await terminal.sees(/3\. gamma, unreachable/);
    await terminal.press("hosts /beta", "Enter");
    await terminal.sees(/1\. beta, ready/);
    await terminal.press("quit", "Enter");
    await expectRestored(terminal, 0);
    expect(await recorded()).not.toContain("\x1b");
  });

  it("does what a script says line by line, and tells by its exit code that something was not done", async () => {
    const script = `printf 'hosts /beta\\nhostz\\n' | ${shellLine(tui("--plain"))}; echo "code $?"`;
    const said = await readText(spawnOwned("sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] }).stdout);
    expect(said).toMatch(/^hosts, 1 of 3, \/beta\n1\. beta, ready/m);
    expect(said).toContain("did you mean hosts?");
    expect(said).toContain("code 1");
  });

  it("shows a host that comes back", async () => {
    const { terminal } = await start(tui());
    await using _ = terminal;
    await terminal.sees(/gamma +✗ unreachable/);
    const gamma = hub.log.find("host", "hosts/gamma");
    if (gamma === undefined) throw new Error("the fake fleet has a host gamma");
    hub.upsert({ kind: "host", value: { ...gamma, state: HostState.HOST_STATE_READY, reason: "" } });
    await terminal.sees(/gamma +● ready/);
  });
});

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import stringWidth from "string-width";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installationRoot } from "../../../lib/program.js";
import { readPcapng } from "../../helpers/pcapng-reader.js";
import { eventually } from "../../helpers/eventually.js";
import { Terminal } from "../../helpers/tmux.js";
import { ReachRig } from "../../integration/reach/rig.js";

const sizes = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
] as const;

let rig: ReachRig;
let runs = 0;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
  for (const [index, id] of ["c1", "c2"].entries()) {
    await rig.create(id, {
      crun: { rootfs: "micro" },
      nics: [{ lan: "lan1", addresses: [`10.61.9.${index + 1}/24`] }],
    });
  }
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", display: "std" } });
  await rig.answers("m1");
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** The terminal interface with the instances, in a terminal of its own. */
async function begin(size: { readonly columns: number; readonly rows: number }): Promise<Terminal> {
  runs += 1;
  const program = `${join(installationRoot, "zor")} tui --host zt`;
  const line = `cd ${rig.directory}; env LC_ALL=C.UTF-8 ZOR_CONFIG=${rig.config} XDG_STATE_HOME=${rig.directory} ${program}; echo "code $?"; sleep 600`;
  const terminal = await Terminal.open(line, size, join(rig.directory, `run${runs}`));
  await terminal.sees(/c1 +zt +● running/);
  return terminal;
}

/** Puts the cursor on an instance. */
async function select(terminal: Terminal, id: string): Promise<void> {
  await terminal.press("/");
  await terminal.press("C-u");
  await terminal.press(id, "Enter");
  await terminal.sees(new RegExp(`❯ ${id} +zt`));
}

/** Leaves typing, and then the screen; escape is pressed alone. */
async function leave(terminal: Terminal): Promise<void> {
  await terminal.press("C-]");
  await terminal.sees("leave");
  await terminal.press("Escape");
  await terminal.sees(/── instances\(zt\)/);
}

function expectToFit(screen: string, columns: number): void {
  for (const line of screen.split("\n")) expect(stringWidth(line), line).toBeLessThanOrEqual(columns);
}

describe.each(sizes)("at $columns x $rows", (size) => {
  it("two consoles are open at once, are typed to, searched, left and come back to", async () => {
    // The consoles keep what they have shown at the size before.
    const row = `row${size.columns}`;
    await using terminal = await begin(size);
    await select(terminal, "c1");
    await terminal.press("c");
    await terminal.sees(/console zt\/c1 typing/);
    await terminal.press(`echo one-$((40+2)); for i in $(seq -w 1 120); do echo ${row} $i; done`, "Enter");
    await terminal.sees(`${row} 120\n`);
    await leave(terminal);
    await select(terminal, "c2");
    await terminal.press("c");
    await terminal.sees(/console.* 1 zt\/c1 .* 2 zt\/c2 .*typing/);
    await terminal.press("printf '\\033[1;32mtwo-%s\\033[0m\\n' $((40+3))", "Enter");
    expectToFit(await terminal.sees("two-43"), size.columns);
    // The size of a container's terminal is that of its part of the screen.
    await terminal.press("stty size", "Enter");
    await terminal.sees(new RegExp(`^${size.rows - 6} ${size.columns}$`, "m"));
    await terminal.press("C-]", "1");
    await terminal.sees(`${row} 120\n`);
    await terminal.press("C-]");
    await terminal.sees("search");
    await terminal.press("/", `${row} 007`, "Enter");
    const found = await terminal.sees(`/${row} 007 1 of 1`);
    expect(found).toMatch(new RegExp(`^${row} 007$`, "m"));
    expect(found).toMatch(/\d+ lines up/);
    await terminal.press("Escape");
    await terminal.sees(`${row} 120\n`);
    await terminal.press("|");
    await terminal.sees(new RegExp(`one-42|${row} 120`));
    const both = await terminal.sees("two-43");
    expectToFit(both, size.columns);
    if (size.columns === 200) expect(both).toMatch(new RegExp(`${row} 120 .*│`));
    await leave(terminal);
    await terminal.press(":", "consoles", "Enter");
    await terminal.sees("two-43");
    await terminal.press("D");
    await terminal.sees(/console zt\/c[12] /);
    await terminal.press("D");
    await terminal.sees(/── instances\(zt\)/);
    await terminal.press("q");
    await terminal.sees("code 0");
    expect(await terminal.fact("alternate_on")).toBe("0");
  });

  it("a console goes on over a restart of the hub, and says so", async () => {
    await using terminal = await begin(size);
    await select(terminal, "c1");
    await terminal.press("c");
    await terminal.sees(/console zt\/c1 typing/);
    await terminal.press("echo before-$((1+1))", "Enter");
    await terminal.sees("before-2");
    await rig.hub.kill();
    await terminal.sees("the connection was lost");
    await rig.hub.run();
    await rig.reconnect();
    await eventually(async () => expect(await terminal.screen()).not.toContain("the connection was lost"));
    await terminal.press("echo after-$((1+2))", "Enter");
    await terminal.sees("after-3");
  });

  it("frames of pings appear, are looked at, and are written", async () => {
    await using terminal = await begin(size);
    await select(terminal, "c2");
    await terminal.press("C-k");
    await terminal.sees("nothing has passed yet");
    const ping = ["exec", "zt/c1", "--", "ping", "-c", "1", "-W", "10", "10.61.9.2"];
    await eventually(async () => {
      expect((await rig.zor(...ping)).code).toBe(0);
      expect(await terminal.screen()).toMatch(/10\.61\.9\.2 +10\.61\.9\.1 +ICMP +98 echo reply/);
    });
    expectToFit(await terminal.screen(), size.columns);
    await terminal.press("/", "echo reply", "Enter");
    await terminal.sees(/\/echo reply \d+ of \d+/);
    await terminal.press("Enter");
    await terminal.sees(/type 0 echo reply/);
    await terminal.press("Escape");
    await terminal.sees("frames of zt/c2");
    const before = new Set(await readdir(rig.directory));
    await terminal.press("W");
    await terminal.sees(/frames? in \//);
    const [file = ""] = (await readdir(rig.directory)).filter((name) => name.endsWith(".pcapng") && !before.has(name));
    const { frames } = readPcapng(await readFile(join(rig.directory, file)));
    expect(frames.length).toBeGreaterThan(0);
    for (const { data } of frames) expect(data[34]).toBe(0);
  });

  it("the screen of a machine is drawn, is typed at, and is saved", async () => {
    await using terminal = await begin(size);
    await select(terminal, "m1");
    await terminal.press("w");
    const drawn = await terminal.sees(/screen of zt\/m1 \d+x\d+[\s\S]*▀▀▀/);
    expectToFit(drawn, size.columns);
    await terminal.press("i");
    await terminal.sees("typing");
    await terminal.press("q", "C-]");
    await terminal.sees("press keys");
    const before = new Set(await readdir(rig.directory));
    await terminal.press("W");
    await terminal.sees("the picture is in");
    const [file = ""] = (await readdir(rig.directory)).filter((name) => name.endsWith(".png") && !before.has(name));
    expect((await readFile(join(rig.directory, file))).subarray(1, 4).toString()).toBe("PNG");
    await terminal.press("Escape");
    await terminal.sees(/── instances\(zt\)/);
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestDemo } from "../../e2e/test-demo.js";
import { eventually } from "../../helpers/eventually.js";
import { Terminal } from "../../helpers/tmux.js";

let demo: TestDemo;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-forms-"));
  demo = await TestDemo.create();
  await demo.must(["demo", "up"], { timeoutMs: 600_000 });
}, 620_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
}, 300_000);

async function open(columns: number, rows: number): Promise<Terminal> {
  const env = Object.entries(demo.env).map(([key, value]) => `${key}='${value}'`);
  const line = `env ${env.join(" ")} LC_ALL=C.UTF-8 ${demo.launcher} tui`;
  return await Terminal.open(line, { columns, rows }, join(directory, `${columns}x${rows}`));
}

/** Presses a key until the screen shows something. */
async function until(terminal: Terminal, key: string, wanted: RegExp): Promise<void> {
  for (let turn = 0; turn < 80; turn += 1) {
    const before = await terminal.screen();
    if (wanted.test(before)) return;
    await terminal.press(key);
    // Each press has its effect on the screen before the next, or it has none.
    await eventually(async () => expect(await terminal.screen()).not.toBe(before), 5000).catch(() => undefined);
  }
  throw new Error(`${key} leads to no ${String(wanted)}:\n${await terminal.screen()}`);
}

describe.each([
  [80, 24],
  [200, 50],
])("forms in a terminal of %d by %d", (columns, rows) => {
  const id = `f${columns}`;

  it("make an instance that runs, and change it", async () => {
    await using terminal = await open(columns, rows);
    await terminal.sees("● live");
    await terminal.press("2");
    await terminal.sees("── instances");
    await terminal.press("n");
    await terminal.sees("── instances → new instance");
    await terminal.press("C-u");
    await terminal.press("al");
    await terminal.press("Tab");
    await terminal.sees(/❯ +host +alpha/);
    await terminal.press("Down");
    await terminal.press(id);
    await until(terminal, "Down", /❯ +driver/);
    await terminal.press("c");
    await until(terminal, "Down", /❯ +rootfs/);
    await terminal.press("micro");
    await terminal.sees("it would be taken");
    expect(await terminal.screen()).toContain(`$ zor create instance alpha/${id} --driver crun`);
    await terminal.press("C-s");
    await terminal.sees(new RegExp(`❯ +${id} +.*● running`), 120_000);
    await terminal.press("E");
    await terminal.sees(`edit instance alpha/${id}`);
    await until(terminal, "Down", /❯ +memory/);
    await terminal.press("C-u");
    await terminal.press("160M");
    await terminal.sees("it would be taken");
    await terminal.press("C-s");
    await terminal.sees(`instance alpha/${id} changed`, 120_000);
    const made: unknown = await demo.json(["get", "instances", `alpha/${id}`]);
    expect(JSON.stringify(made)).toContain('"memoryMib":"160"');
  });

  it("draw a cable on the map, which becomes active there", async () => {
    const [a, b] = [`a${columns}`, `b${columns}`];
    for (const each of [a, b]) {
      await demo.must(["create", "instance", `alpha/${each}`, "--rootfs", "micro", "--nic", "name=eth0"], {
        timeoutMs: 120_000,
      });
    }
    await using terminal = await open(columns, rows);
    await terminal.sees("● live");
    await terminal.press("2", "/", a, "Enter");
    await terminal.sees(new RegExp(`❯ +${a} `));
    await terminal.press("b");
    await terminal.sees(`instance alpha/${a} running`);
    await terminal.press("W");
    await terminal.sees(`cable from alpha/${a}:eth0`);
    await until(terminal, "Tab", new RegExp(`instance alpha/${b} running`));
    await terminal.press("Enter");
    await terminal.sees("map → new wire");
    await terminal.sees("it would be taken");
    await terminal.press("C-s");
    await terminal.sees(new RegExp(`wire alpha/${a}-${b} active`), 120_000);
    await terminal.press("q");
  });
});

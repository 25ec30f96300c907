import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import stringWidth from "string-width";
import { expect } from "vitest";
import { TestDemo } from "../../e2e/test-demo.js";
import { eventually } from "../../helpers/eventually.js";
import { Terminal } from "../../helpers/tmux.js";

/** A size that a terminal has. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The sizes that every journey is made at. */
export const sizes: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 50 },
];

/** A demo fleet of two real hosts, and terminals with the terminal interface on it. */
export class DemoTerminals implements AsyncDisposable {
  readonly demo: TestDemo;
  /** What is written without a path lies here. */
  readonly directory: string;
  #runs = 0;

  private constructor(demo: TestDemo, directory: string) {
    this.demo = demo;
    this.directory = directory;
  }

  static async start(): Promise<DemoTerminals> {
    const demo = await TestDemo.create();
    const made = new DemoTerminals(demo, await mkdtemp(join(tmpdir(), "zt-journey-")));
    try {
      await demo.must(["demo", "up"], { timeoutMs: 600_000 });
      return made;
    } catch (error) {
      await made[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** File with every byte that the terminal that was opened last was sent. */
  get recording(): string {
    return join(this.directory, `run${this.#runs}`);
  }

  /** `zor tui ARGS` in a terminal, which says "code N" behind it. @param variables further ones: "EDITOR=true TERM=linux". */
  run({ columns, rows }: Size, args = "", variables = ""): Promise<Terminal> {
    this.#runs += 1;
    const env = Object.entries(this.demo.env).map(([key, value]) => `${key}='${value}'`);
    const all = `${env.join(" ")} LC_ALL=C.UTF-8 XDG_STATE_HOME=${this.directory} ${variables}`;
    const line = `cd ${this.directory}; env ${all} ${this.demo.launcher} tui ${args}; echo "code $?"; sleep 3600`;
    return Terminal.open(line, { columns, rows }, this.recording);
  }

  /** The same, once it shows the fleet. */
  async open(size: Size, args = "", variables = ""): Promise<Terminal> {
    const terminal = await this.run(size, args, variables);
    await terminal.sees("● live");
    return terminal;
  }

  /** Makes a container from the micro image. */
  async container(name: string, ...flags: readonly string[]): Promise<void> {
    await this.demo.must(["create", "instance", name, "--rootfs", "micro", ...flags], { timeoutMs: 120_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.demo[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Goes to the table of a kind by its line, and to the row that alone matches a filter. */
export async function select(terminal: Terminal, table: string, filter: string, row: RegExp): Promise<void> {
  await terminal.press(":", `${table} /${filter}`, "Enter");
  await terminal.sees(row);
}

/** Presses a key until the screen shows something. */
export async function until(terminal: Terminal, key: string, wanted: RegExp): Promise<void> {
  for (let turn = 0; turn < 80; turn += 1) {
    const before = await terminal.screen();
    if (wanted.test(before)) return;
    await terminal.press(key);
    // Each press has its effect on the screen before the next, or it has none.
    await eventually(async () => expect(await terminal.screen()).not.toBe(before), 5000).catch(() => undefined);
  }
  throw new Error(`${key} leads to no ${String(wanted)}:\n${await terminal.screen()}`);
}

/** Nothing is wider than the terminal. */
export function expectToFit(screen: string, { columns }: Size): void {
  for (const line of screen.split("\n")) expect(stringWidth(line), line).toBeLessThanOrEqual(columns);
}

/** Leaves the program, which leaves the terminal as it was. */
export async function leave(terminal: Terminal): Promise<void> {
  await terminal.press(":", "quit", "Enter");
  await terminal.sees("code 0");
  expect(await terminal.fact("alternate_on")).toBe("0");
  expect(await terminal.fact("cursor_flag")).toBe("1");
}

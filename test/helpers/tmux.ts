import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { run } from "../../agent/host/exec.js";
import { eventually } from "./eventually.js";
import { spawnOwned } from "./owned.js";

const environment = { LC_ALL: "C.UTF-8", TERM: "xterm-256color" };

/** A real terminal: a tmux server of its own with one pane. Ends with the test's process. */
export class Terminal implements AsyncDisposable {
  readonly #socket = `zt${randomBytes(4).toString("hex")}`;
  readonly #server: ChildProcess;
  /** What the server has said; it says nothing as long as all is well. */
  #said = "";

  private constructor() {
    // A server in the foreground: one that tmux starts by itself would outlive us.
    this.#server = spawnOwned("tmux", [...this.#arguments(), "-D"], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#server.stdout, this.#server.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#said += chunk.toString();
      });
    }
  }

  /** Runs a shell command line in a new terminal and records every byte it writes to `recording`. */
  static async open(
    commandLine: string,
    size: { columns: number; rows: number },
    recording: string,
  ): Promise<Terminal> {
    const terminal = new Terminal();
    try {
      await terminal.#begin(commandLine, size, recording);
      return terminal;
    } catch (error) {
      await terminal[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #begin(
    commandLine: string,
    { columns, rows }: { readonly columns: number; readonly rows: number },
    recording: string,
  ): Promise<void> {
    await eventually(() => this.tmux("start-server"));
    // The pane waits for the recording to begin; tmux's own settings are not those of whoever runs the test.
    const waiting = `while ! test -e ${recording}.go; do sleep 0.05; done; ${commandLine}`;
    await this.tmux("new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, "sh", "-c", waiting);
    await this.tmux("set-option", "-g", "status", "off");
    await this.tmux("set-option", "-g", "remain-on-exit", "on");
    await this.resize(columns, rows);
    await this.tmux("pipe-pane", "-o", `cat > ${recording}`);
    await run("touch", [`${recording}.go`]);
  }

  async tmux(...command: readonly string[]): Promise<string> {
    try {
      return (await run("env", ["LC_ALL=C.UTF-8", "tmux", "-N", ...this.#arguments(), ...command])).stdout;
    } catch (error) {
      const { exitCode, signalCode } = this.#server;
      if (exitCode === null && signalCode === null) throw error;
      const how = `tmux's server has ended (${signalCode ?? exitCode ?? "?"}): ${this.#said}`;
      throw new Error(how, { cause: error });
    }
  }

  #arguments(): string[] {
    return ["-u", "-L", this.#socket, "-f", "/dev/null"];
  }

  /** What is on the screen. */
  screen(): Promise<string> {
    return this.tmux("capture-pane", "-p");
  }

  /** Waits until the screen shows something. */
  async sees(text: string | RegExp, timeoutMs = 60_000): Promise<string> {
    return eventually(async () => {
      const screen = await this.screen();
      const found = typeof text === "string" ? screen.includes(text) : text.test(screen);
      if (!found) throw new Error(`no ${String(text)} on the screen:\n${screen}`);
      return screen;
    }, timeoutMs);
  }

  /** Presses keys by tmux's names: "j", "Enter", "C-d". */
  async press(...keys: readonly string[]): Promise<void> {
    await this.tmux("send-keys", ...keys);
  }

  /** Resolves when the program can see it: tmux draws what it has in the new size a quarter of a second before it tells the terminal. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
    const tty = await this.fact("pane_tty");
    await eventually(async () => {
      const size = (await run("stty", ["-F", tty, "size"])).stdout.trim();
      if (size !== `${rows} ${columns}`) throw new Error(`the terminal has ${size}, not ${rows} ${columns}`);
    });
  }

  /** A fact of the pane in tmux's format language: "cursor_flag", "alternate_on". */
  async fact(name: string): Promise<string> {
    return (await this.tmux("display-message", "-p", `#{${name}}`)).trim();
  }

  /** Pid of the process the pane was started with. */
  async pid(): Promise<number> {
    return Number(await this.fact("pane_pid"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const ended = once(this.#server, "exit");
    await this.tmux("kill-server").catch(() => this.#server.kill("SIGKILL"));
    await ended;
  }
}

/** Child processes of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text
    .split(" ")
    .filter((part) => part !== "")
    .map(Number);
}

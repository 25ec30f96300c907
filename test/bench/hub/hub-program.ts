import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installationRoot, nodePath, programPath } from "../../../lib/program.js";
import { spawnOwned } from "../../helpers/owned.js";

/** What the hub's process says of itself. */
export interface LoopFacts {
  /** Longest time for which its loop was held since it was asked last. */
  readonly loopMaxMs: number;
  readonly heapUsed: number;
}

/** What the launcher gives Node for the hub. */
function launchOptions(): readonly string[] {
  const launcher = readFileSync(join(installationRoot, "zor"), "utf8");
  return /^ *hub\) program=hub options=(\S+) ;;$/m.exec(launcher)?.slice(1) ?? [];
}

const anyPort = "127.0.0.1:0";

/** The hub, in a process of its own, followed by what it logs: that costs it nothing that it does not do anyway. */
export class HubProgram implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ready = new Set<string>();
  readonly #serving = Promise.withResolvers<string>();
  #facts: ((facts: LoopFacts) => void) | undefined;
  #onReady: () => void = () => undefined;

  /** @param profile directory for profiles; undefined: none. */
  constructor(state: string, profile: string | undefined) {
    const monitor = ["--import", join(installationRoot, "dist/loop-monitor.js")];
    const profiling = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
    const flags = [
      "--listen",
      anyPort,
      "--join-listen",
      anyPort,
      "--reverse-listen",
      anyPort,
      "--relay-listen",
      anyPort,
    ];
    this.#process = spawnOwned(
      nodePath,
      [...launchOptions(), ...monitor, ...profiling, programPath("hub"), "hub", "run", "--state", state, ...flags],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process.on("exit", () => this.#serving.reject(new Error("the hub has ended")));
    if (this.#process.stderr !== null) {
      createInterface({ input: this.#process.stderr }).on("line", (line) => this.#read(line));
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** "ip:port" of the API, once it serves. */
  address(): Promise<string> {
    return this.#serving.promise;
  }

  /** Resolves when so many hosts are READY. */
  async ready(hosts: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onReady = () => {
      if (this.#ready.size >= hosts) resolve();
    };
    this.#onReady();
    await Promise.race([promise, this.#serving.promise.then(() => promise)]);
  }

  /** Hosts that are READY now. */
  get readyHosts(): number {
    return this.#ready.size;
  }

  /** Asks how the loop did since the last time. */
  async loop(): Promise<LoopFacts> {
    const { promise, resolve } = Promise.withResolvers<LoopFacts>();
    this.#facts = resolve;
    this.#process.kill("SIGUSR2");
    return promise;
  }

  /** MiB in RAM, now and at most so far. */
  memoryMib(): { readonly now: number; readonly peak: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
    const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
    return { now: mib("VmRSS"), peak: mib("VmHWM") };
  }

  /** Seconds of processor time so far. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }

  #read(line: string): void {
    const facts = parse(line);
    if (facts.loopMaxMs !== undefined && facts.heapUsed !== undefined) {
      this.#facts?.({ loopMaxMs: facts.loopMaxMs, heapUsed: facts.heapUsed });
    } else if (facts.msg === "hub is serving") {
      this.#serving.resolve(facts.listen?.[0] ?? "");
    } else if (facts.msg === "host state" && facts.host !== undefined) {
      if (facts.state === "HOST_STATE_READY") this.#ready.add(facts.host);
      else this.#ready.delete(facts.host);
      this.#onReady();
    } else if ((facts.level ?? 0) >= errorLevel) {
      process.stderr.write(`${line}\n`);
    }
  }
}

/** What is read in the lines of the hub's log, and of its monitor. */
interface Line extends Partial<LoopFacts> {
  readonly level?: number;
  readonly msg?: string;
  readonly listen?: readonly string[];
  readonly host?: string;
  readonly state?: string;
}

/** pino's. */
const errorLevel = 50;

function parse(line: string): Line {
  try {
    // Only the hub and its monitor write here.
    return JSON.parse(line) as Line;
  } catch {
    return {};
  }
}

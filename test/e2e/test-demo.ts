import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { DemoStatus } from "../../deploy/demo/status.js";
import { eventually as shared } from "../helpers/eventually.js";
import { type OwnedResult, runOwned } from "../helpers/owned.js";
import { freshName } from "../helpers/run-tag.js";

const root = resolve(import.meta.dirname, "../..");

/** A demo of a name of its own, with contexts of its own, driven through the real `zor` command. */
export class TestDemo implements AsyncDisposable {
  readonly name: string;
  /** Where contexts and identities of this demo's user are. */
  readonly configDirectory: string;

  private constructor(name: string, configDirectory: string) {
    this.name = name;
    this.configDirectory = configDirectory;
  }

  /** Chooses names; nothing runs yet. */
  static async create(): Promise<TestDemo> {
    return new TestDemo(freshName(), await mkdtemp(join(tmpdir(), "zt-e2e-")));
  }

  /** Environment in which programs work on this demo and on no other. */
  get env(): Readonly<Record<string, string>> {
    return { ZOR_DEMO: this.name, ZOR_CONFIG: this.configDirectory, ZOR_CONTEXT: "", LC_ALL: "C" };
  }

  /** How to recognise what this demo makes on the machine. */
  get ownership(): RegExp {
    return new RegExp(`zor-${this.name}-|zor-demo/${this.name}\\b`);
  }

  /** Path of the launcher. */
  get launcher(): string {
    return join(root, "zor");
  }

  /** Runs `zor ARGS` to its end; an exit code other than 0 is no error. */
  async zor(argv: readonly string[], options: { readonly timeoutMs?: number } = {}): Promise<OwnedResult> {
    return runOwned(this.launcher, argv, { env: this.env, ...options });
  }

  /** Runs `zor ARGS` and gives what it printed. @throws {Error} when it fails. */
  async must(argv: readonly string[], options: { readonly timeoutMs?: number } = {}): Promise<string> {
    const result = await this.zor(argv, options);
    if (result.exitCode !== 0)
      throw new Error(`zor ${argv.join(" ")}: exit ${result.exitCode}: ${result.stderr || result.stdout}`);
    return result.stdout;
  }

  /** Runs `zor ARGS -o json` and parses the answer. */
  async json(argv: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.must([...argv, "-o", "json"]));
  }

  /** `zor demo status`. */
  async status(): Promise<DemoStatus> {
    return (await this.json(["demo", "status"])) as DemoStatus; // the program's own type
  }

  /** Takes the demo down, whatever is there of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.must(["demo", "down"], { timeoutMs: 120_000 });
    await rm(this.configDirectory, { recursive: true, force: true });
  }
}

/** Waits until `look` gives something; the last error or "nothing" is told when the time is over. */
export async function eventually<Result>(
  what: string,
  timeoutMs: number,
  look: () => Promise<Result | undefined>,
): Promise<Result> {
  try {
    return await shared(async () => {
      const result = await look();
      if (result === undefined) throw new Error("nothing");
      return result;
    }, timeoutMs);
  } catch (cause) {
    throw new Error(`${what} did not happen within ${timeoutMs} ms: ${String(cause)}`, { cause });
  }
}

/** Whether a process exists. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** Pids of all instances by name, as the hub tells them. */
export function instancePids(status: DemoStatus): Record<string, number> {
  return Object.fromEntries(status.agents.flatMap((agent) => agent.instances.map(({ name, pid }) => [name, pid])));
}

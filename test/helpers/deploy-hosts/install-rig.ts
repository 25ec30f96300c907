import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../eventually.js";
import { spawnOwned } from "../owned.js";
import { runTag } from "../run-tag.js";
import { opsUser } from "./debian-tree.js";
import type { DeployHosts } from "./deploy-hosts.js";
import { Person } from "./person.js";

/** What a command did. */
export interface ZorResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface ZorRun {
  readonly result: Promise<ZorResult>;
  /** Resolves when it has said so. */
  readonly says: (text: RegExp) => Promise<void>;
  readonly interrupt: () => void;
  /** What it has said so far on standard error, and when, in milliseconds since it was started. */
  readonly told: readonly { readonly ms: number; readonly text: string }[];
}

/** A hub of the test's own at the lab's bridge, and a person there with zor, an administrator's context and a key for all hosts. */
export class InstallRig implements AsyncDisposable {
  readonly person: Person;
  readonly hosts: DeployHosts;
  /** Where the programs are that a person would have from a clone. */
  readonly installation: string;
  readonly #directory: string;
  readonly #hub: ChildProcessWithoutNullStreams;
  /** Of what the person runs. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(
    parts: Pick<InstallRig, "person" | "hosts" | "installation"> & { readonly directory: string },
    hub: ChildProcessWithoutNullStreams,
  ) {
    this.person = parts.person;
    this.hosts = parts.hosts;
    this.installation = parts.installation;
    this.#directory = parts.directory;
    this.#hub = hub;
    this.env = {
      PATH: process.env["PATH"] ?? "",
      HOME: this.person.home,
      ZOR_CONFIG: join(this.#directory, "config"),
    };
  }

  static async start(hosts: DeployHosts, installation = installationRoot): Promise<InstallRig> {
    const directory = await mkdtemp(join(tmpdir(), `${runTag}-install-`));
    const state = join(directory, "hub");
    const address = (port: number) => `${hosts.lab.address}:${port}`;
    const listeners = [
      ...["--listen", address(7440), "--join-listen", address(7441)],
      ...["--reverse-listen", address(7442), "--relay-listen", address(7445), "--advertise", address(7440)],
    ];
    const hub = spawnOwned(
      nodePath,
      [join(installation, "dist/hub.js"), "hub", "run", "--state", state, ...listeners],
      {
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    hub.stdout.resume();
    hub.stderr.resume();
    const rig = new InstallRig(
      { person: await Person.make(hosts, () => undefined), hosts, installation, directory },
      hub,
    );
    try {
      const identityDirectory = join(state, "admin");
      const context = { name: "lab", addresses: [address(7440)], serverName: hubServerName, identityDirectory };
      await saveContext(join(directory, "config"), context, true);
      await eventually(async () => {
        const { code, stderr } = await rig.zor(["get", "hosts"]);
        if (code !== 0) throw new Error(`the hub does not answer: ${stderr}`);
      });
      for (let at = 0; at < hosts.hosts.length; at += 1) await rig.letIn(at);
      return rig;
    } catch (error) {
      await rig[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The person's key lets in on a host, for as long as its system is the same one. */
  async letIn(at: number): Promise<void> {
    await this.person.authorize(at);
  }

  /** The host is as new, and the hub knows nothing of it. */
  async startOver(at: number): Promise<void> {
    const host = this.hosts.at(at);
    await host.reinstall();
    await this.person.know();
    await this.letIn(at);
    await this.zor(["host", "remove", host.name, "--yes"]);
  }

  zor(argv: readonly string[], input = ""): Promise<ZorResult> {
    return this.run(argv, input).result;
  }

  /** `zor host install` with the right password for sudo. */
  install(...argv: readonly string[]): Promise<ZorResult> {
    return this.installing(...argv).result;
  }

  installing(...argv: readonly string[]): ZorRun {
    return this.run(["host", "install", ...argv, "--password-stdin"], `${opsUser.password}\n`);
  }

  /** Starts zor; its input ends after `input`. */
  run(argv: readonly string[], input = ""): ZorRun {
    const child = spawnOwned(nodePath, [join(this.installation, "dist/cli.cjs"), ...argv], {
      env: this.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    let [stdout, stderr] = ["", ""];
    const begin = performance.now();
    const told: { readonly ms: number; readonly text: string }[] = [];
    const waiting = new Set<() => void>();
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString();
      told.push({ ms: performance.now() - begin, text: data.toString() });
      for (const look of waiting) look();
    });
    const result = new Promise<ZorResult>((resolve) => {
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
    return {
      result,
      told,
      says: (text) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (text.test(stderr)) resolve();
          };
          waiting.add(look);
          void result.then(() => reject(new Error(`it ended without ${String(text)}: ${stderr}`)));
          look();
        }),
      interrupt: () => void child.kill("SIGINT"),
    };
  }

  /** "ready" and the like of all hosts that the hub knows. */
  async states(): Promise<Readonly<Record<string, string>>> {
    const { stdout } = await this.zor(["get", "hosts", "-o", "json"]);
    const { hosts = [] } = JSON.parse(stdout) as { hosts?: { name: string; state: string }[] };
    return Object.fromEntries(hosts.map(({ name, state }) => [name, state]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub.kill("SIGTERM");
    if (this.#hub.exitCode === null) await new Promise((resolve) => this.#hub.once("close", resolve));
    await this.person[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

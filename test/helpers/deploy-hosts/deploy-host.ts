import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type RunOptions, run, type ToolResult } from "../../../agent/host/exec.js";
import { findIdentity, type ProcessIdentity, waitForExit } from "../../../lib/process.js";
import { eventually } from "../eventually.js";
import { makeNetns, type TestNetns } from "../netns.js";
import { spawnOwned } from "../owned.js";
import { bootScript } from "./boot-script.js";
import type { LabNetwork } from "./lab-network.js";

const cgroups = "/sys/fs/cgroup/unified";

/** What a host is made of. */
export interface DeployHostParts {
  readonly lab: LabNetwork;
  /** The Debian below its root. */
  readonly tree: string;
  readonly directory: string;
  readonly name: string;
}

/** A Debian server with systemd, sshd and sudo: a root, a network, processes and groups of its own on the kernel of this machine. */
export class DeployHost implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly #parts: DeployHostParts;
  readonly #netns: TestNetns;
  readonly #cgroup: string;
  #starter: ChildProcess | undefined;
  #init: ProcessIdentity | undefined;

  private constructor(parts: DeployHostParts, netns: TestNetns, address: string) {
    this.name = parts.name;
    this.#parts = parts;
    this.#netns = netns;
    this.address = address;
    this.#cgroup = join(cgroups, netns.name);
  }

  /** Makes it; {@link boot} starts it. */
  static async make(parts: DeployHostParts): Promise<DeployHost> {
    const netns = await makeNetns(parts.name);
    const host = new DeployHost(parts, netns, await parts.lab.plug(netns));
    try {
      await host.#personalize();
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return host;
  }

  /** Name of its net namespace. */
  get netns(): string {
    return this.#netns.name;
  }

  /** Where what it changed of its root lies on this machine: to be read, and written only while it is off. */
  changed(path: string): string {
    return join(this.#parts.directory, "upper", path);
  }

  /** Starts it and waits until systemd has started all and sshd listens. */
  async boot(): Promise<void> {
    const { tree, directory, name } = this.#parts;
    await mkdir(this.#cgroup, { recursive: true });
    const join = `echo $$ > ${this.#cgroup}/cgroup.procs && exec nsenter --net=/run/netns/${this.netns} unshare --mount --uts --ipc --pid --cgroup --fork --kill-child sh -c "$@"`;
    const starter = spawnOwned("sh", ["-c", join, "sh", bootScript, "boot", tree, directory, name], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#starter = starter;
    let trouble = "";
    starter.stderr?.on("data", (data: Buffer) => {
      trouble += data.toString();
    });
    const ended = new Promise<never>((_resolve, reject) => {
      starter.once("close", () => reject(new Error(`host ${name} does not start: ${trouble}`)));
    });
    ended.catch(() => undefined);
    const found = eventually(async () => {
      const children = await readFile(`/proc/${starter.pid}/task/${starter.pid}/children`, "utf8");
      const init = await findIdentity(Number(children.trim().split(" ")[0]));
      if (init === undefined || (await readFile(`/proc/${init.pid}/comm`, "utf8")).trim() !== "systemd")
        throw new Error(`systemd is not the first process of ${name} yet: ${trouble}`);
      return init;
    });
    this.#init = await Promise.race([found, ended]);
    await eventually(async () => {
      const { stdout } = await this.run(["systemctl", "is-system-running"], { acceptedExitCodes: [0, 1] });
      if (!/^(running|degraded)/.test(stdout)) throw new Error(`${name} is ${stdout.trim()}`);
    }, 120_000);
    await this.shell(sshdAnswers);
  }

  /** Ends it as a power cut does. Idempotent. */
  async powerOff(): Promise<void> {
    const [starter, init] = [this.#starter, this.#init];
    this.#starter = undefined;
    this.#init = undefined;
    if (init !== undefined && starter !== undefined) {
      // With its first process the kernel ends all others of it.
      process.kill(init.pid, "SIGKILL");
      await waitForExit(init, 60_000);
    }
    starter?.kill("SIGKILL");
    if (starter !== undefined && starter.exitCode === null && starter.signalCode === null)
      await new Promise((resolve) => starter.once("close", resolve));
    await removeGroups(this.#cgroup);
  }

  /** Runs a program in it, as root. @throws {ToolError} as `run` of the agent does. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<ToolResult> {
    const init = this.#init;
    if (init === undefined) throw new Error(`host ${this.name} is off`);
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const inside = [
      "-t",
      String(init.pid),
      "--mount",
      "--uts",
      "--ipc",
      "--net",
      "--pid",
      "--cgroup",
      "--root",
      "--wdns=/",
    ];
    return run("nsenter", [...inside, "--", "env", "-i", path, "HOME=/root", ...argv], {
      timeoutMs: 120_000,
      ...options,
    });
  }

  /** Runs lines of the shell in it, as root, and returns what they print. */
  async shell(script: string, options: RunOptions = {}): Promise<string> {
    return (await this.run(["sh", "-c", script], options)).stdout;
  }

  /** Line for known_hosts. */
  async knownHost(): Promise<string> {
    const text = await readFile(this.changed("etc/ssh/ssh_host_ed25519_key.pub"), "utf8");
    return `${this.address} ${text.split(" ").slice(0, 2).join(" ").trim()}\n`;
  }

  /** New keys of its sshd, as after an installation from nothing. */
  async renewHostKeys(): Promise<void> {
    await this.shell(`rm -f /etc/ssh/ssh_host_*_key* && ssh-keygen -A && systemctl restart ssh && ${sshdAnswers}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
    await this.#netns[Symbol.asyncDispose]();
    await rm(this.#parts.directory, { recursive: true, force: true });
  }

  /** Installs its system anew: nothing is left of what was on its disk, and its keys are others. It boots. */
  async reinstall(): Promise<void> {
    await this.powerOff();
    await this.#personalize();
    await this.boot();
  }

  async #personalize(): Promise<void> {
    const { directory } = this.#parts;
    for (const each of ["upper", "work"]) await rm(join(directory, each), { recursive: true, force: true });
    for (const each of ["upper/etc/ssh", "work", "root"]) await mkdir(join(directory, each), { recursive: true });
    await writeFile(this.changed("etc/hostname"), `${this.name}\n`);
    await writeFile(this.changed("etc/hosts"), `127.0.0.1 localhost\n127.0.1.1 ${this.name}\n`);
    // Without one systemd takes this for the first boot, and enables every unit there is.
    await writeFile(this.changed("etc/machine-id"), `${randomBytes(16).toString("hex")}\n`);
    await run("ssh-keygen", ["-A", "-f", join(directory, "upper")]);
  }
}

/** Waits for an sshd. */
export const sshdAnswers = "until ssh-keyscan -T 5 127.0.0.1 >/dev/null 2>&1; do sleep 0.1; done";

/** Removes a cgroup and all below; what was in it has ended, and the kernel takes it out a moment later. */
async function removeGroups(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeGroups(join(path, entry.name));
  await eventually(() =>
    rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    }),
  );
}

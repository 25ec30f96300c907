import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentConfigSchema } from "../../../agent/config.js";
import { run } from "../../../agent/host/exec.js";
import { joinAsHost } from "../../../agent/join.js";
import { Switch } from "../../../agent/network/ovs/switch.js";
import { Connection } from "../../../lib/grpc/connection.js";
import { createLog } from "../../../lib/log.js";
import { endProcess, findIdentity, findProcesses, type ProcessIdentity } from "../../../lib/process.js";
import { nodePath, programPath } from "../../../lib/program.js";
import { hostServerName } from "../../../lib/tls/join.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { TestPki } from "../../helpers/pki.js";
import { freshName } from "../../helpers/run-tag.js";

/** Where an agent of a test is. */
interface AgentPlace {
  readonly host?: string;
  readonly hostNetns?: string;
}

/** A real agent in a process of its own, with its own state directory and net namespace. */
export class AgentProcess {
  readonly host: string;
  readonly state: string;
  readonly netns: string;
  readonly pki: TestPki;
  /** Net namespace that stands for the host's own; undefined: the machine's. */
  readonly #hostNetns: string | undefined;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(state: string, netns: string, pki: TestPki, { host = "zt", hostNetns }: AgentPlace = {}) {
    this.host = host;
    this.#hostNetns = hostNetns;
    this.state = state;
    this.netns = netns;
    this.pki = pki;
  }

  /** Makes the state directory with an identity; nothing runs yet. @param hostNetns net namespace that stands for the host's own. */
  static async create(hostNetns?: string): Promise<AgentProcess> {
    const state = await mkdtemp(join(tmpdir(), "zt-agent-"));
    const pki = await TestPki.create(join(state, "pki"));
    const agent = new AgentProcess(state, freshName(), pki, { ...(hostNetns === undefined ? {} : { hostNetns }) });
    await pki.host(agent.host, join(state, "identity"));
    return agent;
  }

  /** Like {@link create}, of a host that joins a hub and dials out to it. Only the hub's people can call it. */
  static async join(token: string, place = tmpdir()): Promise<AgentProcess> {
    const state = await mkdtemp(join(place, "zt-agent-"));
    const config = agentConfigSchema.parse({ state, listen: ["127.0.0.1:0"], dialOut: true });
    const host = await joinAsHost(token, config);
    return new AgentProcess(state, freshName(), await TestPki.create(join(state, "pki")), { host });
  }

  /** What the agent wrote to its log. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the agent; resolves once it serves. */
  async start(extra: readonly string[] = []): Promise<void> {
    await rm(join(this.state, "run.json"), { force: true });
    const child = this.spawn(extra);
    this.#child = child;
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the agent ended: ${this.#log}`);
      await this.address();
    });
  }

  /** Starts the program without waiting for anything. */
  spawn(extra: readonly string[] = [], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const argv = ["agent", "run", "--state", this.state, "--listen", "127.0.0.1:0", "--netns", this.netns];
    const listen = ["--cable-listen", "127.0.0.1:0"];
    const program = [nodePath, programPath("agent"), ...argv, ...listen, ...extra];
    const inside = this.#hostNetns === undefined ? [] : ["ip", "netns", "exec", this.#hostNetns];
    const [file = "", ...args] = [...inside, ...program];
    const child = spawnOwned(file, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    child.stderr?.on("data", (data: Buffer) => {
      this.#log += data.toString();
    });
    return child;
  }

  /** "ip:port" on which it serves. */
  async address(): Promise<string> {
    const facts: unknown = JSON.parse(await readFile(join(this.state, "run.json"), "utf8"));
    const { listen } = facts as { listen: string[] };
    const [address] = listen;
    if (address === undefined) throw new Error("the agent serves nowhere");
    return address;
  }

  /** Connects as a person with a role; operator unless told otherwise. @param address default: that on which it serves. */
  async connect(role: Role = Role.ROLE_OPERATOR, address?: string): Promise<Connection> {
    const identity = await this.pki.user("tester", role);
    const serverName = hostServerName(this.host);
    return new Connection({ address: address ?? (await this.address()), identity, serverName });
  }

  /** Ends the agent's process with a signal and waits for its end; resolves to its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    child.kill(signal);
    await once(child, "exit");
    return child.exitCode;
  }

  /** Deletes every instance of the running agent, so that their drivers remove what they made. */
  async deleteInstances(address?: string): Promise<void> {
    const connection = await this.connect(Role.ROLE_OPERATOR, address);
    const list = { parent: `hosts/${this.host}`, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    const { instances } = await connection.unary(InstanceServiceService.listInstances, list);
    for (const { name } of instances) {
      const request = { name, requestId: "", validateOnly: false, force: true };
      await connection.unary(InstanceServiceService.deleteInstance, request, { timeoutMs: 30_000 });
    }
    connection.close();
  }

  /** Removes everything of this agent from the machine. `instances`: there may be some. */
  async destroy({ instances = true }: { readonly instances?: boolean } = {}): Promise<void> {
    if (instances) await this.deleteInstances().catch((error: unknown) => console.error(error));
    await this.end("SIGKILL");
    for (const identity of await this.#processes()) await endProcess(identity, 2000);
    const log = createLog("test", { write: () => undefined });
    const agentUid = (await readFile(join(this.state, "host-uid"), "utf8").catch(() => "none")).trim();
    const { signal } = new AbortController();
    for (const name of await readdir("/run/netns")) {
      if (name.startsWith(`${this.netns}.`)) await run("ip", ["netns", "delete", name]);
    }
    const opened = await Switch.open({ stateDirectory: this.state, agentUid, netns: this.netns, log, signal });
    await opened.destroy();
    await rm(this.state, { recursive: true, force: true });
  }

  /** Everything the agent has started, by its arguments or, for QEMU, by its working directory. */
  async #processes(): Promise<ProcessIdentity[]> {
    const found: ProcessIdentity[] = await findProcesses((argv) =>
      argv.some((argument) => argument.includes(this.state)),
    );
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
      const directory = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      const identity = directory.startsWith(this.state) ? await findIdentity(Number(pid)) : undefined;
      if (identity !== undefined) found.push(identity);
    }
    return found;
  }
}

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Connection } from "../../../lib/grpc/connection.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../agent/agent-process.js";
import { HubProcess } from "../hub/hub-process.js";

const parent = "hosts/zt";

/** What a program that ran by itself left. */
export interface Ended extends CliResult {
  readonly signal: NodeJS.Signals | null;
}

/** A program that runs by itself, to be killed. */
export interface Running {
  readonly pid: number;
  readonly stdin: NodeJS.WritableStream;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves to its output once that holds something. */
  said(what: RegExp): Promise<string>;
}

/** A hub, an agent "zt" that dials out to it, and zor with a context that leads to the hub. */
export class ReachRig implements AsyncDisposable {
  readonly hub: HubProcess;
  readonly agent: AgentProcess;
  readonly directory: string;
  #connection: Connection;

  private constructor(parts: { hub: HubProcess; agent: AgentProcess; directory: string; connection: Connection }) {
    this.hub = parts.hub;
    this.agent = parts.agent;
    this.directory = parts.directory;
    this.#connection = parts.connection;
  }

  /** @param place directory that the agent's state is made in. */
  static async start(
    agentFlags: readonly string[] = [],
    place = tmpdir(),
    hubFlags: readonly string[] = [],
  ): Promise<ReachRig> {
    const hub = await HubProcess.start(hubFlags);
    const connection = await hub.connect();
    const request = CreateHostRequest.fromPartial({ hostId: "zt" });
    const { joinToken } = await connection.unary(HostServiceService.createHost, request);
    const agent = await AgentProcess.join(joinToken, place);
    await agent.start(agentFlags);
    const directory = await mkdtemp(join(tmpdir(), "zt-reach-"));
    const rig = new ReachRig({ hub, agent, directory, connection });
    const context = { name: "zt", addresses: [hub.address], serverName: hubServerName };
    await saveContext(rig.config, { ...context, identityDirectory: join(hub.state, "admin") }, true);
    await rig.ready();
    return rig;
  }

  /** "TYPE MESSAGE" of all events of instances, as they come, until the hub ends. */
  watchEvents(): readonly string[] {
    const request = WatchRequest.fromPartial({ kinds: ["event"] });
    const [told, connection] = [[] as string[], this.#connection];
    void (async () => {
      for await (const { step } of connection.stream(WatchServiceService.watch, request)) {
        const event = step?.$case === "upsert" ? unpack(step.value)?.value : undefined;
        if (event !== undefined && "message" in event && "type" in event) told.push(`${event.type} ${event.message}`);
      }
    })().catch(() => undefined);
    return told;
  }

  /** The configuration directory of zor. */
  get config(): string {
    return join(this.directory, "config");
  }

  get env(): Record<string, string> {
    // Whatever zor leaves for a person to pick up goes with the rig.
    return { ZOR_CONFIG: this.config, TMPDIR: this.directory };
  }

  /** Waits until the hub has a session with the agent. */
  async ready(): Promise<void> {
    await eventually(async () => {
      const { host } = await this.#connection.unary(HostServiceService.getHost, { name: parent });
      if (host?.state !== HostState.HOST_STATE_READY) throw new Error(`the host is ${host?.state}`);
    });
  }

  /** Connects anew: the hub was another process. */
  async reconnect(): Promise<void> {
    this.#connection.close();
    this.#connection = await this.hub.connect();
    await this.ready();
  }

  async createLan(lanId: string): Promise<void> {
    await this.#connection.unary(LanServiceService.createLan, CreateLanRequest.fromPartial({ parent, lanId }));
  }

  async create(instanceId: string, spec: object): Promise<void> {
    const request = CreateInstanceRequest.fromPartial({ parent, instanceId, instance: Instance.fromJSON({ spec }) });
    const { operation } = await this.#connection.unary(InstanceServiceService.createInstance, request);
    const wait = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
    const ended = await this.#connection.unary(OperationServiceService.waitOperation, wait, { timeoutMs: 70_000 });
    if (ended.operation?.state !== OperationState.OPERATION_STATE_SUCCEEDED) {
      throw new Error(`${instanceId}: ${ended.operation?.error?.message ?? "not made in time"}`);
    }
  }

  /** Waits until commands run in it. */
  async answers(instance: string): Promise<void> {
    await eventually(async () => {
      const { code, stderr } = await this.zor("exec", `zt/${instance}`, "--", "true");
      if (code !== 0) throw new Error(stderr);
    });
  }

  /** Begins a command line in this process. */
  run(...argv: string[]): CliRun {
    return new CliRun(argv, { env: this.env });
  }

  /** Runs a command line in this process to its end. */
  zor(...argv: string[]): Promise<CliResult> {
    return this.run(...argv).result;
  }

  /** What a script prints inside. */
  async shell(instance: string, script: string): Promise<string> {
    return (await this.zor("exec", `zt/${instance}`, "--", "sh", "-c", script)).stdout;
  }

  /** Begins zor as a process of its own. */
  program(...argv: string[]): Running {
    const [file = "", ...words] = this.cli(...argv);
    return this.tool(file, words);
  }

  /** The command line of zor as a process of its own. */
  cli(...argv: string[]): readonly string[] {
    return [nodePath, join(installationRoot, "dist/cli.cjs"), ...argv];
  }

  /** Begins any program, with zor's configuration in its environment. */
  tool(file: string, argv: readonly string[]): Running {
    const child = spawnOwned(file, [...argv], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...this.env },
    });
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error("it has no pipes");
    stdin.on("error", () => undefined);
    let heard = "";
    stdout.on("data", (data: Buffer) => {
      heard += data.toString();
    });
    const said = async (what: RegExp): Promise<string> => {
      await eventually(() => {
        if (!what.test(heard)) throw new Error(`no ${String(what)} in: ${heard}`);
      });
      return heard;
    };
    const output = Promise.all([text(stdout), text(stderr), once(child, "exit")]);
    const ended = output.then(([out, err, [code, signal]]) => ({
      ...{ code: typeof code === "number" ? code : -1, stdout: out, stderr: err },
      signal: signal as NodeJS.Signals | null,
    }));
    return { pid: child.pid ?? 0, stdin, ended, kill: (signal) => void child.kill(signal), said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever fails, nothing that this made stays on the machine.
    await using last = new AsyncDisposableStack();
    last.defer(() => rm(this.directory, { recursive: true, force: true }));
    last.use(this.hub);
    last.defer(() => this.agent.destroy({ instances: false }));
    const list = { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
    const { instances } = await this.#connection.unary(InstanceServiceService.listInstances, list);
    for (const { name } of instances) {
      const request = { name, requestId: "", validateOnly: false, force: true };
      await this.#connection.unary(InstanceServiceService.deleteInstance, request, { timeoutMs: 30_000 });
    }
    this.#connection.close();
  }
}

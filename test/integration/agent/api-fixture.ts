import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { Agent } from "../../../agent/agent.js";
import { type AgentConfig, agentConfigSchema, settle } from "../../../agent/config.js";
import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import { IdentityHolder } from "../../../agent/identity-holder.js";
import { kinds as allKinds } from "../../../agent/kinds/index.js";
import type { KindModule } from "../../../agent/kit/context.js";
import type { AgentContext } from "../../../agent/parts.js";
import { Connection } from "../../../lib/grpc/connection.js";
import { createLog } from "../../../lib/log.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { hostServerName } from "../../../lib/tls/join.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { FakeDriver } from "../../fakes/driver.js";
import { FakeHostNetwork } from "../../fakes/host-network.js";
import { probedOnce } from "../../fakes/host-probe.js";
import { TestPki } from "../../helpers/pki.js";

/** Name of the host every fixture is. */
export const parent = "hosts/h1";

/** Resource name of an instance. */
export const nameOf = (id: string): string => `${parent}/instances/${id}`;

/** Request of an action. */
export const action = (id: string, requestId = "") => ({ name: nameOf(id), requestId, validateOnly: false });

/** Request for a container with one unplugged NIC. */
export function creation(id: string, change: Partial<CreateInstanceRequest> = {}): CreateInstanceRequest {
  const instance = Instance.fromJSON({ spec: { nics: [{ lan: "" }], crun: { rootfs: "micro" } } });
  return { ...CreateInstanceRequest.create({ parent, instanceId: id, instance }), ...change };
}

/** What an agent under test has; default: the fake driver and the kinds of every agent. */
export interface ApiFixtureOptions {
  readonly drivers?: readonly InstanceDriver[];
  /** More kinds. */
  readonly kinds?: readonly KindModule<AgentContext>[];
  /** Directory that pools may be made in; default: none. */
  readonly storage?: string;
  /** Directory that backups are kept in; default: none. */
  readonly backups?: string;
  /** Devices of this machine that may be captured at, and how wrong the agent's clock is for that; default: none, right. */
  /** Whom the host gives a shell; default: nobody. */
  readonly hostShell?: AgentConfig["hostShell"];
  readonly captures?: { readonly devices: readonly string[]; readonly clockShiftNs: bigint };
}

/** A real agent in this process, over real mutual TLS and a real disk, on a host whose runtime and network are fakes. */
export class ApiFixture {
  readonly driver = new FakeDriver();
  readonly network = new FakeHostNetwork();
  readonly directory: string;
  /** The agent's state directory. */
  readonly state: string;
  readonly pki: TestPki;
  readonly #opened: Connection[] = [];
  #running: { readonly agent: Agent; readonly operator: Connection } | undefined;

  readonly #drivers: readonly InstanceDriver[];
  readonly #kinds: readonly KindModule<AgentContext>[];

  readonly #storagePools: readonly { readonly directory: string }[];
  readonly #backupDirs: readonly string[];
  readonly #hostShell: ApiFixtureOptions["hostShell"];
  readonly #captures: NonNullable<ApiFixtureOptions["captures"]>;

  private constructor(directory: string, pki: TestPki, options: ApiFixtureOptions) {
    const { drivers, kinds = [], storage, backups, captures, hostShell } = options;
    this.#hostShell = hostShell;
    this.#captures = captures ?? { devices: [], clockShiftNs: 0n };
    this.#backupDirs = backups === undefined ? [] : [backups];
    this.#storagePools = storage === undefined ? [] : [{ directory: storage }];
    this.#drivers = drivers ?? [this.driver];
    this.#kinds = [...allKinds, ...kinds];
    this.directory = directory;
    this.state = join(directory, "state");
    this.pki = pki;
  }

  /** An agent that serves. */
  static async start(options: ApiFixtureOptions = {}): Promise<ApiFixture> {
    const directory = await mkdtemp(join(tmpdir(), "zt-api-"));
    const fixture = new ApiFixture(directory, await TestPki.create(join(directory, "pki")), options);
    await fixture.#start();
    return fixture;
  }

  /** "ip:port" */
  get address(): string {
    return this.#current().agent.addresses[0] ?? "";
  }

  /** A person with the role operator. */
  get operator(): Connection {
    return this.#current().operator;
  }

  /** Ends the agent and starts another on the same host. */
  async restart(): Promise<void> {
    await this.#current().agent.close();
    await this.#start();
  }

  /** Connects as somebody. */
  connect(identity: Identity): Connection {
    const connection = new Connection({ address: this.address, identity, serverName: hostServerName("h1") });
    this.#opened.push(connection);
    return connection;
  }

  /** Waits for an operation's end. */
  async wait(operation: Operation | undefined): Promise<Operation> {
    const timeout = { seconds: 60n, nanos: 0 };
    const request = { name: operation?.name ?? "", timeout };
    const ended = await this.operator.unary(OperationServiceService.waitOperation, request);
    if (ended.operation === undefined) throw new Error("no operation in the response");
    return ended.operation;
  }

  /** Makes and, unless told otherwise, starts an instance. */
  async make(id: string, change: Partial<CreateInstanceRequest> = {}): Promise<void> {
    const { operation } = await this.operator.unary(InstanceServiceService.createInstance, creation(id, change));
    expect((await this.wait(operation)).state).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
  }

  async makeLan(id: string): Promise<void> {
    await this.operator.unary(LanServiceService.createLan, CreateLanRequest.create({ parent, lanId: id }));
  }

  async close(): Promise<void> {
    for (const connection of this.#opened) connection.close();
    await this.#running?.agent.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const config = agentConfigSchema.parse({
      ...{ state: this.state, listen: ["127.0.0.1:0"], observeSeconds: 0.1 },
      storagePools: this.#storagePools,
      backupDirs: this.#backupDirs,
      captureDevices: this.#captures.devices,
      hostShell: this.#hostShell,
      taps: [{ netns: "host", addresses: ["10.9.0.0/16"] }],
      phys: [{ device: "ztp*" }],
      bridges: ["br*"],
      vteps: [{ remotes: ["10.0.0.0/24"], vnis: ["1-99"] }],
    });
    const { clockShiftNs } = this.#captures;
    const agent = await Agent.start({
      settings: settle(config, undefined, "h1"),
      hostUid: "uid-of-h1",
      identity: new IdentityHolder(await this.pki.host("h1")),
      parts: {
        drivers: this.#drivers,
        network: this.network.toPart(),
        cables: undefined,
        clockShiftNs,
        probeHost: probedOnce,
      },
      log: createLog("test", { write: () => undefined }),
      kinds: this.#kinds,
    });
    const identity = await this.pki.user("ana", Role.ROLE_OPERATOR);
    const operator = new Connection({ address: agent.addresses[0] ?? "", identity, serverName: hostServerName("h1") });
    this.#opened.push(operator);
    this.#running = { agent, operator };
  }

  #current(): { readonly agent: Agent; readonly operator: Connection } {
    if (this.#running === undefined) throw new Error("the agent does not run");
    return this.#running;
  }
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { expect } from "vitest";
import { hubConfigSchema } from "../../../hub/config.js";
import { Hub } from "../../../hub/daemon.js";
import type { HubKind } from "../../../hub/kit/hub-kind.js";
import { Connection } from "../../../lib/grpc/connection.js";
import { createLog } from "../../../lib/log.js";
import { type Identity, loadIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { CreateTokenRequest, type Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { FakeAgent, type FakeAgentOptions } from "../../fakes/agent.js";
import { FakeCables, FakeUnderlay } from "../../fakes/agent-cables.js";
import { FakeHostModel } from "../../fakes/agent-model.js";
import { freePort } from "../../helpers/free-port.js";

/** A host with its fake agent, as a test uses it. */
export interface FakeHost {
  readonly model: FakeHostModel;
  readonly cables: FakeCables;
  readonly identity: Identity;
  agent: FakeAgent;
}

/** A hub in this process with fake agents, cleaned up when disposed of. */
export class HubFixture implements AsyncDisposable {
  readonly state: string;
  readonly underlay = new FakeUnderlay();
  readonly #cleanups: (() => unknown)[] = [];
  hub: Hub;
  admin: Connection;
  #hosts = 0;
  readonly #started: Pick<HubStart, "relayPort" | "kinds" | "settings">;

  private constructor(parts: {
    state: string;
    hub: Hub;
    admin: Connection;
    started: Pick<HubStart, "relayPort" | "kinds" | "settings">;
  }) {
    const { state, hub, admin, started } = parts;
    this.#started = started;
    this.state = state;
    this.hub = hub;
    this.admin = admin;
  }

  /** With `relay`, hosts are told that the relay is at 10.77.9.9; fake ones know that this is loopback. */
  static async start(
    options: { relay?: boolean; kinds?: readonly HubKind[]; settings?: object } = {},
  ): Promise<HubFixture> {
    const state = await mkdtemp(joinPath(tmpdir(), "zt-hub-"));
    const relayPort = options.relay === true ? await freePort() : 0;
    const { settings = {} } = options;
    const started = { relayPort, settings, ...(options.kinds === undefined ? {} : { kinds: options.kinds }) };
    const hub = await startHub(state, { listen: [`127.0.0.1:${await freePort()}`], ...started });
    return new HubFixture({ state, hub, admin: await adminOf(hub), started });
  }

  /** Ends the hub and starts it again on the same ports. */
  async restart(): Promise<void> {
    const { listen } = this.hub.addresses;
    this.admin.close();
    await this.hub.close();
    this.hub = await startHub(this.state, { listen, ...this.#started });
    this.admin = await adminOf(this.hub);
  }

  /** Runs when the fixture is disposed of. */
  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Registers a host, joins it and serves a fake agent for it. `via` gives the address the hub is told, for example a proxy's; "": none. */
  async addHost(
    id: string,
    options: {
      via?: (address: string) => Promise<string>;
      undialable?: boolean;
      apiLevel?: number;
      serve?: FakeAgentOptions["serve"];
    } = {},
  ): Promise<FakeHost> {
    this.#hosts += 1;
    const model = new FakeHostModel(id);
    const cables = new FakeCables(model, this.underlay, `10.77.0.${this.#hosts}`);
    const { joinToken } = await this.admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: id }),
    );
    // The agent's port is known only when it serves, which needs the identity that joining gives: reserve one.
    const listen = `127.0.0.1:${await freePort()}`;
    const address = (await options.via?.(listen)) ?? listen;
    const { identity } = await join(joinToken, {
      host: {
        addresses: address === "" ? [] : [address],
        underlayAddresses: [],
        undialable: options.undialable ?? false,
        uid: model.uid,
      },
    });
    const level = {
      ...(options.apiLevel === undefined ? {} : { apiLevel: options.apiLevel }),
      ...(options.serve === undefined ? {} : { serve: options.serve }),
    };
    const host: FakeHost = {
      model,
      cables,
      identity,
      agent: await FakeAgent.start({ model, cables, identity, listen, ...level }),
    };
    this.defer(() => host.agent.kill());
    this.defer(() => cables.close());
    return host;
  }

  /** Starts the agent of a host again, on the address it had. */
  async restartAgent(host: FakeHost): Promise<void> {
    const listen = host.agent.address;
    host.model.restart();
    host.agent = await FakeAgent.start({ model: host.model, cables: host.cables, identity: host.identity, listen });
  }

  /** A connection of a person with a role. */
  async person(id: string, role: Role): Promise<Connection> {
    return this.connectAs(await this.identity(id, role));
  }

  /** The identity of a person with a role. */
  async identity(id: string, role: Role): Promise<Identity> {
    const { token } = await this.admin.unary(
      TokenServiceService.createToken,
      CreateTokenRequest.fromPartial({ subject: { $case: "userId", value: id }, role }),
    );
    return (await join(token)).identity;
  }

  /** A connection to the hub with any identity. */
  connectAs(identity: Identity): Connection {
    const connection = connect(this.hub, identity);
    this.defer(() => connection.close());
    return connection;
  }

  /** One host as the hub lists it. */
  async host(id: string): Promise<Host> {
    const { host } = await this.admin.unary(HostServiceService.getHost, { name: `hosts/${id}` });
    if (host === undefined) throw new Error("the answer has no host");
    return host;
  }

  /** All hosts as the hub lists them. */
  async hosts(): Promise<readonly Host[]> {
    const request = ListHostsRequest.fromPartial({});
    return (await this.admin.unary(HostServiceService.listHosts, request)).hosts;
  }

  /** Waits until a host has a state. */
  async hostState(id: string, state: HostState, timeoutMs = 60_000): Promise<Host> {
    await expect
      .poll(async () => HostState[(await this.host(id)).state], { timeout: timeoutMs })
      .toBe(HostState[state]);
    return this.host(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.close();
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    await this.hub.close();
    await rm(this.state, { recursive: true, force: true });
  }
}

export function connect(hub: Hub, identity: Identity): Connection {
  const [address] = hub.addresses.listen;
  if (address === undefined) throw new Error("the hub does not listen");
  return new Connection({ address, identity, serverName: hubServerName });
}

interface HubStart {
  readonly listen: readonly string[];
  readonly relayPort: number;
  /** More of the configuration. */
  readonly settings: object;
  /** Default: those that every hub has. */
  readonly kinds?: readonly HubKind[];
}

async function startHub(state: string, { listen, relayPort, settings, ...kinds }: HubStart): Promise<Hub> {
  const config = hubConfigSchema.parse({
    ...settings,
    state,
    listen,
    joinListen: ["127.0.0.1:0"],
    reverseListen: ["127.0.0.1:0"],
    relayListen: [`127.0.0.1:${relayPort}`],
    relayAdvertise: relayPort === 0 ? [] : [`10.77.9.9:${relayPort}`],
  });
  return Hub.start({ config, log: createLog("hub-test", { write: () => undefined }), ...kinds });
}

async function adminOf(hub: Hub): Promise<Connection> {
  return connect(hub, await loadIdentity(hub.adminDirectory));
}

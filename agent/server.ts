import type { Duplex } from "node:stream";
import type { Server, UntypedServiceImplementation } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../lib/errors.js";
import { addHealth, type Health } from "../lib/grpc/health.js";
import { agentLimits } from "../lib/grpc/limits.js";
import { OpenWatches } from "../lib/grpc/open-watches.js";
import { addReflection } from "../lib/grpc/reflection.js";
import { refuseRevoked } from "../lib/grpc/revocation.js";
import { createGrpcServer, createServerTls, listen, type ServerTls, shutDown } from "../lib/grpc/server.js";
import { implementService, type ServiceOptions } from "../lib/grpc/service.js";
import type { RequestIds } from "../lib/idempotency.js";
import type { Log } from "../lib/log.js";
import type { Operations } from "../lib/operations.js";
import { type ListenNews, StandingListener } from "../lib/standing-listener.js";
import type { WatchLog } from "../lib/watch/watch-log.js";
import { AgentServiceService } from "../proto/gen/zor/agent/v1/agent_service.js";
import { CableServiceService } from "../proto/gen/zor/agent/v1/cable_service.js";
import { A2bServiceService } from "../proto/gen/zor/v1/a2b_service.js";
import { ConsoleServiceService } from "../proto/gen/zor/v1/console_service.js";
import { ExecServiceService } from "../proto/gen/zor/v1/exec_service.js";
import { HostServiceService } from "../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../proto/gen/zor/v1/lan_service.js";
import { LinkTransport } from "../proto/gen/zor/v1/link.js";
import { OperationServiceService } from "../proto/gen/zor/v1/operation_service.js";
import { WatchServiceService } from "../proto/gen/zor/v1/watch_service.js";
import type { AgentSettings } from "./config.js";
import type { HostFacts } from "./kinds/host/host-facts.js";
import type { IdentityHolder } from "./identity-holder.js";
import type { InstanceManager } from "./kinds/instance/manager.js";
import type { LanManager } from "./kinds/lan/lan-manager.js";
import type { A2bManager } from "./kinds/a2b/a2b-manager.js";
import type { CablePart } from "./parts.js";
import { refusalLog } from "./refusal-log.js";
import type { RevokedCertificates } from "./revoked-certificates.js";
import { a2bService } from "./kinds/a2b/a2b-service.js";
import { agentService } from "./agent-service.js";
import { consoleService } from "./kinds/instance/console-service.js";
import { execService } from "./kinds/instance/exec-service.js";
import { HostScope } from "./kit/host-scope.js";
import { hostService } from "./kinds/host/host-service.js";
import { instanceService } from "./kinds/instance/instance-service.js";
import { lanService } from "./kinds/lan/lan-service.js";
import { operationService } from "./kit/operation-service.js";
import { watchService } from "./kit/watch-service.js";

/** What the API of an agent is made of. */
export interface AgentServerOptions {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly identity: IdentityHolder;
  readonly revoked: RevokedCertificates;
  readonly log: Log;
  readonly watchLog: WatchLog;
  readonly lans: LanManager;
  readonly instances: InstanceManager;
  readonly facts: HostFacts;
  readonly operations: Operations;
  readonly requests: RequestIds;
  readonly cables: CablePart | undefined;
  readonly a2bs: A2bManager | undefined;
  /** Aborts when the agent ends. */
  readonly signal: AbortSignal;
}

const cableServiceName = "zor.agent.v1.CableService";
const a2bServiceName = "zor.v1.A2bService";
const serviceNames = [
  "zor.v1.HostService",
  "zor.v1.InstanceService",
  "zor.v1.LanService",
  "zor.v1.OperationService",
  "zor.v1.ConsoleService",
  "zor.v1.ExecService",
  "zor.v1.WatchService",
  "zor.agent.v1.AgentService",
] as const;

/** The API of an agent on all its listeners. */
export class AgentServer {
  readonly #standing: StandingListener;
  readonly #server: Server;
  readonly #health: Health;
  readonly #watches: OpenWatches;
  readonly #injector: { readonly injectConnection: (connection: Duplex) => void; readonly destroy: () => void };

  private constructor(parts: {
    readonly server: Server;
    readonly tls: ServerTls;
    readonly health: Health;
    readonly watches: OpenWatches;
    readonly standing: StandingListener;
  }) {
    const { server, tls, health, watches, standing } = parts;
    this.#watches = watches;
    this.#server = server;
    this.#health = health;
    this.#standing = standing;
    this.#injector = server.createConnectionInjector(tls.credentials);
  }

  /** Serves at every address that is there, at the others when they come. @throws {ZorError} UNAVAILABLE when one cannot be used. */
  static async start(options: AgentServerOptions): Promise<AgentServer> {
    const server = createGrpcServer(agentLimits);
    server.onNews((message, facts) => options.log.warn(facts, message));
    const tls = createServerTls(options.identity.current, "required");
    options.identity.onReplace((identity) => tls.reload(identity));
    const watches = new OpenWatches();
    const serviceOptions = toServiceOptions(options.log, options.revoked, watches);
    addServices(server, options, serviceOptions);
    const names = [
      ...serviceNames,
      ...(options.cables === undefined ? [] : [cableServiceName]),
      ...(options.a2bs === undefined ? [] : [a2bServiceName]),
    ];
    addReflection(server, names, serviceOptions);
    const health = addHealth(server, names, serviceOptions);
    try {
      const bind = (address: string): Promise<number> => listen(server, address, tls.credentials);
      const standing = await StandingListener.open(options.settings.listen, { ...listenNews(options), bind });
      health.setServing(true);
      return new AgentServer({ server, tls, health, watches, standing });
    } catch (error) {
      server.forceShutdown();
      throw error;
    }
  }

  /** Addresses with the ports that were picked; those that are not there, as they were given. */
  get addresses(): readonly string[] {
    return this.#standing.addresses;
  }

  /** Serves a connection that this agent has opened; it must show a client certificate like every other. */
  accept(connection: Duplex): void {
    this.#injector.injectConnection(connection);
  }

  /** Stops serving: watches end at once, other running calls have `graceMs` to end. */
  async close(graceMs: number): Promise<void> {
    this.#health.setServing(false);
    this.#watches.endAll();
    await this.#standing[Symbol.asyncDispose]();
    await shutDown(this.#server, graceMs);
    this.#injector.destroy();
  }
}

/** Says of addresses that are not there in the log and at the host. */
function listenNews({ log, facts }: AgentServerOptions): ListenNews {
  return {
    onMissing: (address, why) => {
      const message = `the agent does not listen at ${address}: ${why}; it does as soon as that is otherwise`;
      log.warn({ address, why }, message);
      facts.remark(`listen ${address}`, message);
    },
    onTaken: (address) => {
      log.info({ address }, "the address is there now, and the agent listens at it");
      facts.remark(`listen ${address}`, "");
    },
  };
}

function toServiceOptions(log: Log, revoked: RevokedCertificates, watches: OpenWatches): ServiceOptions {
  const guard = refuseRevoked(revoked);
  return {
    authorize: guard.authorize,
    onCall: watches.onCall(guard.onCall),
    onError: (error, { method, caller }) => {
      const refused = error instanceof ZorError && error.code !== status.INTERNAL;
      const facts = { err: error, method, caller: caller?.identity };
      if (refused) log.debug(facts, "a call was refused");
      else log.error(facts, "a call failed");
    },
  };
}

function addServices(server: Server, options: AgentServerOptions, serviceOptions: ServiceOptions): void {
  const { instances: manager, lans, operations, requests, signal, settings, cables, a2bs } = options;
  const scope = new HostScope(settings.host);
  const startTime = new Date(Date.now() - process.uptime() * 1000);
  const readFacts = () => ({
    hostId: settings.host,
    hostUid: options.hostUid,
    epoch: options.watchLog.epoch,
    cablePort: cables?.port ?? 0,
    cableKeySha256: cables?.keySha256 ?? Buffer.alloc(0),
    startTime,
    underlayAddresses: [...settings.underlay],
    allowsPlainLinks: settings.allowPlainLinks,
    linkTransports: [
      LinkTransport.LINK_TRANSPORT_TCP,
      ...(cables?.vxlan === true ? [LinkTransport.LINK_TRANSPORT_VXLAN] : []),
    ],
    vxlanMissing: cables?.vxlanMissing ?? "",
  });
  const instance = instanceService({ scope, manager, operations, requests, signal });
  const lan = lanService({ scope, lans, manager, requests, signal });
  const host = hostService({ scope, readHost: () => options.facts.read() });
  const agent = agentService({
    readFacts,
    setRevoked: (serials) => options.revoked.replace(serials),
    onRefused: refusalLog(options.log),
    logError: (error, message) => options.log.error({ err: error }, message),
  });
  const operation = operationService({ scope, operations, requests });
  const add = (definition: Parameters<Server["addService"]>[0], implementation: UntypedServiceImplementation): void =>
    server.addService(definition, implementation);
  add(HostServiceService, implementService(HostServiceService, host, serviceOptions));
  add(InstanceServiceService, implementService(InstanceServiceService, instance, serviceOptions));
  add(LanServiceService, implementService(LanServiceService, lan, serviceOptions));
  add(OperationServiceService, implementService(OperationServiceService, operation, serviceOptions));
  add(
    ConsoleServiceService,
    implementService(ConsoleServiceService, consoleService({ scope, manager }), serviceOptions),
  );
  add(ExecServiceService, implementService(ExecServiceService, execService({ scope, manager }), serviceOptions));
  add(WatchServiceService, implementService(WatchServiceService, watchService(options.watchLog), serviceOptions));
  add(AgentServiceService, implementService(AgentServiceService, agent, serviceOptions));
  if (cables !== undefined)
    add(CableServiceService, implementService(CableServiceService, cables.handlers, serviceOptions));
  if (a2bs !== undefined)
    add(A2bServiceService, implementService(A2bServiceService, a2bService({ scope, a2bs, requests }), serviceOptions));
}

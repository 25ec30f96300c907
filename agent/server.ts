import type { Duplex } from "node:stream";
import type { Server, ServiceDefinition } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../lib/errors.js";
import type { CallAudit } from "../lib/events/call-audit.js";
import type { EventLog } from "../lib/events/event-log.js";
import { eventMethods } from "../lib/events/event-methods.js";
import { addHealth, type Health } from "../lib/grpc/health.js";
import { agentLimits } from "../lib/grpc/limits.js";
import { OpenWatches } from "../lib/grpc/open-watches.js";
import { addReflection } from "../lib/grpc/reflection.js";
import { refuseRevoked } from "../lib/grpc/revocation.js";
import { createGrpcServer, createServerTls, listen, type ServerTls, shutDown } from "../lib/grpc/server.js";
import { implementService, type ServiceOptions } from "../lib/grpc/service.js";
import type { Hooks } from "../lib/hooks/hooks.js";
import type { RequestIds } from "../lib/idempotency.js";
import type { Log } from "../lib/log.js";
import { exposition } from "../lib/metrics/exposition.js";
import { Metrics } from "../lib/metrics/metrics.js";
import { versionHandlers } from "../lib/program-version.js";
import { type ListenNews, StandingListener } from "../lib/standing-listener.js";
import type { Traces } from "../lib/traces/traces.js";
import type { WatchLog } from "../lib/watch/watch-log.js";
import { AgentServiceService } from "../proto/gen/zor/agent/v1/agent_service.js";
import { EventServiceService } from "../proto/gen/zor/v1/event_service.js";
import { HookServiceService } from "../proto/gen/zor/v1/hook_service.js";
import { LinkTransport } from "../proto/gen/zor/v1/link.js";
import { VersionServiceService } from "../proto/gen/zor/v1/version_service.js";
import { WatchServiceService } from "../proto/gen/zor/v1/watch_service.js";
import { type AgentFacts, agentService } from "./agent-service.js";
import type { AgentSettings } from "./config.js";
import type { IdentityHolder } from "./identity-holder.js";
import type { KindPart } from "./kit/context.js";
import type { Remarks } from "./kit/remarks.js";
import { type ServiceMethods, serve, toServices } from "./kit/serve.js";
import { watchService } from "./kit/watch-service.js";
import { refusalLog } from "./refusal-log.js";
import type { RevokedCertificates } from "./revoked-certificates.js";

/** What the API of an agent is made of. */
export interface AgentServerOptions {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly identity: IdentityHolder;
  readonly revoked: RevokedCertificates;
  readonly log: Log;
  readonly watchLog: WatchLog;
  /** What happened, kept on disk. */
  readonly events: EventLog;
  /** Records what its handlers do not. */
  readonly audit: CallAudit;
  /** Whom that is told to. */
  readonly hooks: Hooks;
  readonly remarks: Remarks;
  /** What of its kinds is served. */
  readonly kinds: readonly KindPart[];
  readonly requests: RequestIds;
  /** Its traces; undefined: it makes none. */
  readonly traces?: Traces | undefined;
  /** Resolves when operations that were begun are written down. */
  readonly settled: () => Promise<void>;
}

/** The API of an agent on all its listeners. */
export class AgentServer {
  readonly #metrics: Metrics;
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
    readonly metrics: Metrics;
  }) {
    const { server, tls, health, watches, standing, metrics } = parts;
    this.#metrics = metrics;
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
    const serviceOptions = toServiceOptions(options, watches);
    const services = toServices([...ownMethods(options), ...options.kinds.flatMap(({ methods }) => methods)], options);
    for (const { definition, handlers } of services) {
      // The definitions are those of ts-proto, which grpc-js takes as they are.
      server.addService(definition as ServiceDefinition, implementService(definition, handlers, serviceOptions));
    }
    const names = services.map(({ name }) => name);
    addReflection(server, names, serviceOptions);
    const health = addHealth(server, names, serviceOptions);
    try {
      const bind = (address: string): Promise<number> => listen(server, address, tls.credentials);
      const standing = await StandingListener.open(options.settings.listen, { ...listenNews(options), bind });
      const metrics = await openMetrics(options);
      health.setServing(true);
      return new AgentServer({ server, tls, health, watches, standing, metrics });
    } catch (error) {
      server.forceShutdown();
      throw error;
    }
  }

  /** Where /metrics is. */
  get metricsAddresses(): readonly string[] {
    return this.#metrics.addresses;
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
    await this.#metrics.close();
    await this.#standing[Symbol.asyncDispose]();
    await shutDown(this.#server, graceMs);
    this.#injector.destroy();
  }
}

async function openMetrics(options: AgentServerOptions): Promise<Metrics> {
  const { settings, identity, revoked, watchLog, events, hooks, log, traces } = options;
  const metrics = await Metrics.open({
    listen: settings.metricsListen ?? [],
    tokenFile: settings.metricsTokenFile,
    identity: identity.current,
    isRevoked: revoked.isRevoked,
    read: () =>
      exposition({
        log: watchLog,
        own: { program: "agent", hooks: hooks.states, events, traces: traces?.exporter },
        measured: () => options.kinds.flatMap(({ measured }) => [...(measured?.() ?? [])]),
      }),
    onError: (error) => log.error({ err: error }, "metrics cannot be read"),
    news: listenNews(options),
  });
  identity.onReplace((next) => metrics.renew(next));
  return metrics;
}

/** Says of addresses that are not there in the log and at the host. */
function listenNews({ log, remarks }: AgentServerOptions): ListenNews {
  return {
    onMissing: (address, why) => {
      const message = `the agent does not listen at ${address}: ${why}; it does as soon as that is otherwise`;
      log.warn({ address, why }, message);
      remarks.set(`listen ${address}`, message);
    },
    onTaken: (address) => {
      log.info({ address }, "the address is there now, and the agent listens at it");
      remarks.set(`listen ${address}`, "");
    },
  };
}

function toServiceOptions({ log, revoked, audit, traces }: AgentServerOptions, watches: OpenWatches): ServiceOptions {
  const guard = refuseRevoked(revoked);
  return {
    authorize: guard.authorize,
    tracer: traces?.tracer,
    onCall: watches.onCall(guard.onCall),
    onUntold: (call) => audit.untold(call),
    onError: (error, { method, caller }) => {
      audit.refusals.note({ caller: caller?.identity ?? "", error });
      const refused = error instanceof ZorError && error.code !== status.INTERNAL;
      const facts = { err: error, method, caller: caller?.identity };
      if (refused) log.debug(facts, "a call was refused");
      else log.error(facts, "a call failed");
    },
  };
}

/** What an agent serves whatever its kinds. */
function ownMethods(options: AgentServerOptions): readonly ServiceMethods[] {
  const { settings, hostUid, watchLog, revoked, log } = options;
  const startTime = new Date(Date.now() - process.uptime() * 1000);
  const readFacts = (): AgentFacts => ({
    hostId: settings.host,
    hostUid,
    epoch: watchLog.epoch,
    startTime,
    underlayAddresses: [...settings.underlay],
    allowsPlainLinks: settings.allowPlainLinks,
    ...noCables,
    ...Object.assign({}, ...options.kinds.map(({ hello }) => hello)),
  });
  const agent = agentService({
    readFacts,
    setRevoked: (serials) => revoked.replace(serials),
    onRefused: refusalLog(log),
    logError: (error, message) => log.error({ err: error }, message),
  });
  return [
    serve(AgentServiceService, agent),
    serve(WatchServiceService, watchService(watchLog)),
    serve(EventServiceService, eventMethods(options.events)),
    serve(HookServiceService, options.hooks.methods),
    serve(VersionServiceService, versionHandlers("agent")),
  ];
}

/** What an agent without cable engine tells. */
const noCables = {
  cablePort: 0,
  cableKeySha256: Buffer.alloc(0),
  linkTransports: [LinkTransport.LINK_TRANSPORT_TCP],
  vxlanMissing: "",
};

import { join } from "node:path";
import { CallAudit } from "../lib/events/call-audit.js";
import { EventLog } from "../lib/events/event-log.js";
import { keepEvents } from "../lib/events/keep-events.js";
import { openTraces } from "../lib/traces/traces.js";
import { Hooks } from "../lib/hooks/hooks.js";
import { RequestIds } from "../lib/idempotency.js";
import type { Log } from "../lib/log.js";
import type { KeptLog } from "../lib/logs/kept-log.js";
import { Operations } from "../lib/operations.js";
import { WatchLog } from "../lib/watch/watch-log.js";
import { StallWatch } from "../lib/stall-watch.js";
import { EventSeverity } from "../proto/gen/zor/v1/event.js";
import type { AgentSettings } from "./config.js";
import { DiskQuota } from "./drivers/disk-quota.js";
import type { InstanceAccess } from "./drivers/instance-access.js";
import type { IdentityHolder } from "./identity-holder.js";
import type { SavedImages } from "./images/saved-images.js";
import { kinds as allKinds } from "./kinds/index.js";
import { closeKinds, type KindModule, type KindPart, openKinds } from "./kit/context.js";
import { HostScope } from "./kit/host-scope.js";
import { Late } from "./kit/late.js";
import { OperationFiles } from "./kit/operation-files.js";
import { Publisher } from "./kit/publisher.js";
import { References } from "./kit/references.js";
import { Remarks } from "./kit/remarks.js";
import { FileRequestStore } from "./kit/request-store.js";
import { Sessions } from "./kit/sessions.js";
import type { AgentContext, AgentParts } from "./parts.js";
import { RevokedCertificates } from "./revoked-certificates.js";
import { Scheduler } from "./schedules/scheduler.js";
import { AgentServer } from "./server.js";
import { createBackends } from "./storage/backends/index.js";
import { clearBlockWork } from "./storage/block-work.js";
import { Pools } from "./storage/pools.js";
import { VolumeHolders } from "./storage/volume-holders.js";

/** What an agent runs with. */
export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly identity: IdentityHolder;
  readonly parts: AgentParts;
  readonly log: Log;
  /** Where the log is kept to be read; default: it is not. */
  readonly keptLog?: KeptLog | undefined;
  /** Default: all kinds of this agent. */
  readonly kinds?: readonly KindModule<AgentContext>[];
}

const graceMs = 2000;
/** Events from before the agent was started that watches begin with; all that are kept can be listed. */
const restoredEvents = 100;

/** A running agent: everything of this host adopted, observed and served. */
export class Agent {
  readonly server: AgentServer;
  /** Tells this process from every other agent, one with the same identity too. */
  readonly boot: string;
  readonly #close: () => Promise<void>;
  readonly #kinds: readonly KindPart[];

  private constructor(parts: {
    readonly server: AgentServer;
    readonly boot: string;
    readonly kinds: readonly KindPart[];
    readonly close: () => Promise<void>;
  }) {
    this.server = parts.server;
    this.boot = parts.boot;
    this.#kinds = parts.kinds;
    this.#close = parts.close;
  }

  /** The host shuts down: ends what runs. Resolves to how many still run. */
  async shutdownGuests(report: (text: string) => void, signal: AbortSignal): Promise<number> {
    let left = 0;
    for (const kind of this.#kinds) left += (await kind.shutdownGuests?.(report, signal)) ?? 0;
    return left;
  }

  /** Addresses it serves on, with the ports that were picked. */
  get addresses(): readonly string[] {
    return this.server.addresses;
  }

  /** Takes up what runs on the host and begins to serve. @throws {ZorError} when the network or a listener cannot be had. */
  static async start(options: AgentOptions): Promise<Agent> {
    const { settings, hostUid, parts, log, keptLog, kinds = allKinds } = options;
    const { host, state } = settings;
    const ending = new AbortController();
    const events = await EventLog.open({
      directory: join(state, "events"),
      onTrouble: (message) => log.warn(message),
    });
    const watchLog = new WatchLog({ nextEventId: () => events.nextId });
    const stopKeeping = await keepEvents(watchLog, events, restoredEvents);
    const logError = (error: unknown, message: string): void => log.error({ err: error }, message);
    const audit = new CallAudit({
      self: `hosts/${host}`,
      record: (event) => void watchLog.recordEvent(`hosts/${host}/events`, event),
    });
    const operationFiles = new OperationFiles({ directory: join(state, "operations"), logError });
    const operations = new Operations({
      prefix: `hosts/${host}/operations`,
      publish: (operation) => {
        operationFiles.note(operation);
        watchLog.upsert({ kind: "operation", value: operation });
      },
      forget: (name) => {
        operationFiles.forget(name);
        watchLog.remove("operation", name);
      },
      ended: (operation, isTold) => audit.ended(operation, isTold),
    });
    const begin = new Date();
    for (const left of await operationFiles.load(begin)) {
      operations.restore(left);
      // Those that were under way end now, with the run that they were of.
      if (left.updateTime?.getTime() === begin.getTime()) audit.ended(left, false);
    }
    await clearBlockWork(state);
    const publisher = new Publisher(watchLog, host);
    const now = (): Date => new Date();
    const revoked = await RevokedCertificates.open(state, log);
    const context: AgentContext = {
      ...{ host, state, settings, hostUid, parts, log, keptLog, logError, operations },
      scope: new HostScope(host),
      instances: new Late<InstanceAccess>("the instances"),
      peer: { identity: () => options.identity.current, isRevoked: revoked.isRevoked },
      savedImages: new Late<SavedImages>("the images"),
      schedules: new Scheduler({
        ...{ state, operations, now, logError },
        report: (resource, message) => {
          const severity = EventSeverity.EVENT_SEVERITY_WARNING;
          publisher.event({ severity, type: "instance.schedule_failed", resource, message, caller: "" });
        },
      }),
      references: new References(host),
      pools: new Pools(
        createBackends({
          state,
          policy: settings.storagePools,
          quota: new DiskQuota({ directory: state, limits: settings.disk }),
        }),
      ),
      holders: new VolumeHolders(),
      publisher,
      sessions: new Sessions({ host, publisher, now }),
      remarks: new Remarks(),
      now,
      signal: ending.signal,
    };
    const hooks = await Hooks.open({
      ...{ hooks: settings.hooks ?? [], networks: settings.hookNetworks ?? [], events },
      directory: join(state, "hooks"),
      onTrouble: (message) => {
        log.warn(message);
        const severity = EventSeverity.EVENT_SEVERITY_WARNING;
        publisher.event({ severity, type: "hook.trouble", resource: `hosts/${host}`, message, caller: "" });
      },
    });
    const traces = openTraces(settings.traces ?? {}, "zorhub-agent", { onNews: (message) => log.warn(message) });
    const opened = await openKinds(kinds, context);
    // All that runs has been taken up: what flows nobody wanted are left.
    await parts.network.flows?.settle();
    const server = await AgentServer.start({
      ...options,
      revoked,
      watchLog,
      ...{ events, hooks, audit, traces },
      remarks: context.remarks,
      kinds: [...opened.values()],
      requests: new RequestIds(new FileRequestStore(join(state, "requests"), logError)),
      settled: () => operationFiles.settled(),
    });
    const work = Promise.all([...opened.values()].map(({ run }) => run?.(ending.signal)));
    const stalls = new StallWatch(({ ms, cause }) => {
      const message = `the agent did nothing for ${ms / 1000} s: ${cause}`;
      log.warn({ ms }, message);
      const severity = EventSeverity.EVENT_SEVERITY_WARNING;
      publisher.event({ severity, type: "host.agent-stalled", resource: `hosts/${host}`, message, caller: "" });
    });
    const close = async (): Promise<void> => {
      stalls[Symbol.dispose]();
      await server.close(graceMs);
      await operations.close();
      await operationFiles.settled();
      ending.abort();
      await work;
      await closeKinds(opened);
      await parts.network.close();
      await hooks.close();
      audit.close();
      stopKeeping();
      await events.close();
      await traces?.exporter.close(graceMs);
    };
    return new Agent({ server, boot: watchLog.epoch, kinds: [...opened.values()], close });
  }

  /** Ends the agent; everything on the host goes on running. */
  async close(): Promise<void> {
    await this.#close();
  }
}

import { join } from "node:path";
import { pause } from "../lib/backoff.js";
import { RequestIds } from "../lib/idempotency.js";
import type { Log } from "../lib/log.js";
import { Operations } from "../lib/operations.js";
import { WatchLog } from "../lib/watch/watch-log.js";
import type { AgentSettings } from "./config.js";
import { probeDriver } from "./drivers/probe.js";
import { readBoot } from "./host/boot.js";
import { takeFingerprint } from "./host/fingerprint.js";
import { readLimits } from "./host/resources.js";
import { HostFacts } from "./kinds/host/host-facts.js";
import type { IdentityHolder } from "./identity-holder.js";
import type { EventDraft } from "./kinds/instance/context.js";
import { InstanceStore } from "./kinds/instance/instance-store.js";
import { InstanceManager } from "./kinds/instance/manager.js";
import { observeForever } from "./kinds/instance/observer.js";
import { toInstance } from "./kinds/instance/record.js";
import { LanManager } from "./kinds/lan/lan-manager.js";
import { A2bManager } from "./kinds/a2b/a2b-manager.js";
import type { AgentParts } from "./parts.js";
import { Publisher } from "./kit/publisher.js";
import { FileRequestStore } from "./kit/request-store.js";
import { RevokedCertificates } from "./revoked-certificates.js";
import { AgentServer } from "./server.js";

/** What an agent runs with. */
export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly hostUid: string;
  readonly identity: IdentityHolder;
  readonly parts: AgentParts;
  readonly log: Log;
}

const usageIntervalMs = 5000;
const graceMs = 2000;

/** A running agent: everything of this host adopted, observed and served. */
export class Agent {
  readonly server: AgentServer;
  /** Tells this process from every other agent, one with the same identity too. */
  readonly boot: string;
  readonly #close: () => Promise<void>;

  private constructor(server: AgentServer, boot: string, close: () => Promise<void>) {
    this.server = server;
    this.boot = boot;
    this.#close = close;
  }

  /** Addresses it serves on, with the ports that were picked. */
  get addresses(): readonly string[] {
    return this.server.addresses;
  }

  /** Takes up what runs on the host and begins to serve. @throws {ZorError} when the network or a listener cannot be had. */
  static async start(options: AgentOptions): Promise<Agent> {
    const { settings, parts, log } = options;
    const { host, state } = settings;
    const ending = new AbortController();
    const watchLog = new WatchLog();
    const publisher = new Publisher(watchLog, host);
    const logError = (error: unknown, message: string): void => log.error({ err: error }, message);
    const emit = (event: EventDraft): void => publisher.event(event);
    const common = { host, emit, logError, now: () => new Date() };

    const lans: LanManager = new LanManager({
      ...common,
      lans: parts.network.lans,
      directory: join(state, "lans"),
      publish: (lan) => publisher.lan(lan),
      removed: (name) => publisher.removed("lan", name),
      nicsInLan: (lan) => [...instances.nicsInLan(lan), ...(a2bs?.boxesInLan(lan) ?? [])],
    });
    const instances: InstanceManager = new InstanceManager(
      {
        ...common,
        limits: readLimits(),
        boot: await readBoot(),
        store: new InstanceStore(join(state, "instances")),
        networks: parts.network.createInstanceNetworks(lans),
        drivers: parts.drivers,
        publish: (record) => publisher.instance(toInstance(record)),
      },
      (name) => publisher.removed("instance", name),
    );
    const a2bs =
      parts.plugger === undefined
        ? undefined
        : new A2bManager({
            ...common,
            log,
            stateDirectory: state,
            plugger: parts.plugger,
            findLan: (id) => (lans.has(id) ? { rstp: lans.get(id).spec?.rstp === true } : undefined),
            publish: (a2b) => publisher.a2b(a2b),
            removed: (name) => publisher.removed("a2b", name),
          });
    const facts = new HostFacts({
      settings,
      uid: options.hostUid,
      listInstances: () => instances.list(),
      countLans: () => lans.list().length,
    });
    const operations = new Operations({
      prefix: `hosts/${host}/operations`,
      publish: (operation) => watchLog.upsert({ kind: "operation", value: operation }),
      forget: (name) => watchLog.remove("operation", name),
    });

    await lans.restoreAll();
    await a2bs?.restoreAll();
    await instances.adoptAll(ending.signal);
    const cables = await parts.openCables?.();
    a2bs?.connect();
    const stopLans = parts.network.onChange(() => lans.publishAll());
    const server = await AgentServer.start({
      ...options,
      revoked: await RevokedCertificates.open(state, log),
      watchLog,
      lans,
      instances,
      facts,
      operations,
      cables,
      a2bs,
      requests: new RequestIds(new FileRequestStore(join(state, "requests"), logError)),
      signal: ending.signal,
    });
    const work = Promise.all([
      observeForever(
        { manager: instances, drivers: parts.drivers, intervalMs: settings.observeSeconds * 1000, logError },
        ending.signal,
      ),
      publishHost({ facts, publisher, lans, logError }, ending.signal),
      probeHost(options, facts, ending.signal).then(
        () => publisher.host(facts.read()),
        (error: unknown) => {
          if (!ending.signal.aborted) logError(error, "the host could not be probed");
        },
      ),
    ]);
    return new Agent(server, watchLog.epoch, async () => {
      await server.close(graceMs);
      await operations.close();
      ending.abort();
      stopLans();
      await work;
      await Promise.all(parts.drivers.map((driver) => driver.detach()));
      await a2bs?.close();
      await cables?.close();
      await parts.network.close();
    });
  }

  /** Ends the agent; everything on the host goes on running. */
  async close(): Promise<void> {
    await this.#close();
  }
}

async function probeHost(options: AgentOptions, facts: HostFacts, signal: AbortSignal): Promise<void> {
  const { settings, parts } = options;
  facts.setFingerprint(
    await takeFingerprint({
      probes: parts.drivers.map((driver) => (call) => probeDriver(driver, call)),
      imageDirs: settings.imageDirs,
      stateDirectory: settings.state,
      signal,
    }),
  );
}

/** Keeps the host's own entry and the counters of the lans current for watchers. */
async function publishHost(
  options: {
    readonly facts: HostFacts;
    readonly publisher: Publisher;
    readonly lans: LanManager;
    readonly logError: (error: unknown, message: string) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const { facts, publisher, lans, logError } = options;
  while (!signal.aborted) {
    try {
      await facts.refresh();
      publisher.host(facts.read());
      lans.publishAll();
    } catch (error) {
      logError(error, "the host's own state could not be read");
    }
    await pause(usageIntervalMs, signal);
  }
}

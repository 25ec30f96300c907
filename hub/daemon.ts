import { join } from "node:path";
import { writeFileAtomic } from "../lib/files.js";
import type { Health } from "../lib/grpc/health.js";
import { Hooks } from "../lib/hooks/hooks.js";
import type { Log } from "../lib/log.js";
import type { KeptLog } from "../lib/logs/kept-log.js";
import { exposition } from "../lib/metrics/exposition.js";
import { Metrics } from "../lib/metrics/metrics.js";
import { version } from "../lib/program.js";
import { type ListenNews, StandingListener } from "../lib/standing-listener.js";
import type { Identity } from "../lib/tls/identity.js";
import { openTraces, type Traces } from "../lib/traces/traces.js";
import type { RecordedEvent } from "../lib/watch/watch-log.js";
import { EventSeverity } from "../proto/gen/zor/v1/event.js";
import { advertisedAddresses, type HubAddresses, type HubConfig } from "./config.js";
import { Core } from "./core.js";
import { ReverseListener } from "./fleet/reverse-listener.js";
import { JoinProcess } from "./join/join-process.js";
import { join as joinHub } from "./join/join-service.js";
import { knownTokensOf, listKnownTokens } from "./join/tokens.js";
import { HeldFigures } from "./kinds/host/figures/held-figures.js";
import { hubKinds } from "./kinds/index.js";
import { AddressBook } from "./kit/address-book.js";
import type { HubKind } from "./kit/hub-kind.js";
import { Listener } from "./listeners.js";
import { guardedService } from "./revocation-guard.js";
import { addMainServices } from "./service-table.js";
import { type HubState, openState } from "./state-directory.js";

/** How often the hub looks whether its own certificate is due. */
const renewalCheckMs = 6 * 60 * 60 * 1000;
const shutdownGraceMs = 1000;

/** What a hub is started with. */
export interface HubOptions {
  readonly config: HubConfig;
  readonly log: Log;
  /** Where the log is kept to be read; default: it is not. */
  readonly keptLog?: KeptLog;
  /** Kinds to which it adds something; default: {@link hubKinds}. */
  readonly kinds?: readonly HubKind[];
}

/** A running hub. */
export class Hub {
  readonly #config: HubConfig;
  readonly #log: Log;
  readonly #state: HubState;
  #identity: Identity;
  #core: Core | undefined;
  #hooks: Hooks | undefined;
  #metrics: Metrics | undefined;
  readonly #traces: Traces | undefined;
  #main: Listener | undefined;
  #joining: Promise<JoinProcess> | undefined;
  #join: JoinProcess | undefined;
  #health: Health | undefined;
  readonly #reverse: ReverseListener[] = [];
  readonly #standing: StandingListener[] = [];
  #writing: Promise<void> = Promise.resolve();
  #renewal: NodeJS.Timeout | undefined;
  #addresses: HubAddresses = { listen: [], join: [], reverse: [], relay: [] };
  readonly #book = new AddressBook();
  readonly #kinds: readonly HubKind[];
  readonly #keptLog: KeptLog | undefined;

  private constructor({ config, log, keptLog, kinds }: HubOptions, state: HubState, identity: Identity) {
    this.#config = config;
    this.#log = log;
    this.#keptLog = keptLog;
    this.#kinds = kinds ?? hubKinds;
    this.#state = state;
    this.#identity = identity;
    this.#traces = openTraces(config, "zorhub-hub", { onNews: (message) => log.warn(message) });
  }

  /** Starts a hub; it serves when this resolves. On error nothing is left open. */
  static async start(options: HubOptions): Promise<Hub> {
    const { config } = options;
    const state = await openState(config, new Date());
    const { ips } = advertisedAddresses(
      { listen: config.listen, join: config.joinListen, reverse: config.reverseListen, relay: [] },
      config.advertise,
    );
    const hub = new Hub(options, state, await state.ensureHubIdentity(ips));
    try {
      await hub.#serve(ips);
      return hub;
    } catch (error) {
      await hub.close();
      throw error;
    }
  }

  get addresses(): HubAddresses {
    return this.#addresses;
  }

  /** Where /metrics is. */
  get metricsAddresses(): readonly string[] {
    return this.#metrics?.addresses ?? [];
  }

  /** Directory of the local admin's identity. */
  get adminDirectory(): string {
    return this.#state.adminDirectory;
  }

  /** Ends serving; instances, lans and cables go on without the hub. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    for (const listener of this.#standing) await listener[Symbol.asyncDispose]();
    await this.#writing.catch(() => undefined);
    this.#health?.setServing(false);
    const join = await this.#joining?.catch(() => undefined);
    await Promise.all([this.#main?.close(shutdownGraceMs), join?.close()]);
    await this.#metrics?.close();
    await this.#hooks?.close();
    await this.#core?.close();
    await this.#traces?.exporter.close(shutdownGraceMs);
    for (const listener of this.#reverse) await listener.close();
    await this.#state.close();
  }

  async #serve(ips: readonly string[]): Promise<void> {
    const { certificates } = this.#state;
    // A process takes its time to start, meanwhile the hub does.
    this.#joining = this.#startJoin();
    // Awaited below, and when this fails before that by close().
    this.#joining.catch(() => undefined);
    const core = await Core.start({
      hub: this.#config.name,
      state: this.#state,
      identity: () => this.#identity,
      log: this.#log,
      addresses: this.#book,
      exposeListen: this.#config.exposeListen,
      ssh: this.#config.ssh,
      kinds: this.#kinds,
    });
    this.#core = core;
    this.#hooks = await this.#openHooks(core);
    this.#metrics = await this.#openMetrics(core, this.#hooks);
    const reverse = this.#stand(await this.#listenReverse(core));
    this.#main = new Listener("main", this.#identity);
    this.#main.server.onNews((message, facts) => this.#log.warn(facts, message));
    const options = guardedService(certificates, this.#log, { audit: core.parts.audit, tracer: this.#traces?.tracer });
    this.#health = addMainServices(
      this.#main.server,
      { ...core.parts, keptLog: this.#keptLog, kinds: core.kinds, hooks: this.#hooks },
      options,
    );
    const joining = await this.#joining;
    this.#join = joining;
    const bindJoin = (address: string): Promise<number> => joining.bind(address);
    const join = this.#stand(
      await StandingListener.open(this.#config.joinListen, { ...this.#newsOf("joining", core), bind: bindJoin }),
    );
    const { relayListen, relayAdvertise } = this.#config;
    const relay = await core.parts.relay.listen({
      addresses: relayListen,
      advertise: relayAdvertise,
      news: this.#newsOf("the relay", core),
      onGap: (gapMs) => this.#tellRelayGap(gapMs, core),
    });
    // Last: who can call the API may ask for a token, which tells all addresses.
    const main = this.#stand(await this.#main.listen(this.#config.listen, this.#newsOf("the API", core)));
    this.#addresses = { listen: main.addresses, join: join.addresses, reverse: reverse.addresses, relay };
    this.#book.fill(this.#addresses, this.#config.advertise);
    core.parts.relay.advertise(relayAdvertise.length > 0 ? relayAdvertise : this.#book.advertised.relay);
    core.serving();
    this.#health.setServing(true);
    this.#renewal = setInterval(() => void this.#renew(ips), renewalCheckMs).unref();
    certificates.onRevocation(() => this.#log.info("certificates revoked"));
    this.#writing = this.#writing.then(() => this.#writeRunFile());
    await this.#writing;
  }

  #openMetrics(core: Core, hooks: Hooks): Promise<Metrics> {
    const { inventory, events } = core.parts;
    // What nobody can read nobody is asked for.
    const figures = this.#config.metricsListen.length === 0 ? undefined : HeldFigures.hold(core.parts);
    const own = { program: "hub", events };
    return Metrics.open({
      listen: this.#config.metricsListen,
      tokenFile: this.#config.metricsTokenFile,
      identity: this.#identity,
      isRevoked: (serial) => this.#state.certificates.isRevoked(serial),
      read: () =>
        exposition({
          log: inventory.log,
          own: { ...own, hooks: hooks.states, traces: this.#traces?.exporter },
          measured: () => figures?.readings() ?? [],
        }),
      onError: (error) => this.#log.error({ err: error }, "metrics cannot be read"),
      news: this.#newsOf("metrics", core),
    });
  }

  #openHooks({ parts: { events, inventory } }: Core): Promise<Hooks> {
    const { hooks, hookNetworks: networks, state } = this.#config;
    const directory = join(state, "hooks");
    const onTrouble = (message: string): void => {
      this.#log.warn(message);
      const severity = EventSeverity.EVENT_SEVERITY_WARNING;
      inventory.log.recordEvent("events", { type: "hook.trouble", severity, resource: "", message, caller: "" });
    };
    return Hooks.open({ hooks, networks, events, directory, onTrouble });
  }

  #listenReverse(core: Core): Promise<StandingListener> {
    const bind = async (address: string): Promise<number> => {
      const listener = await ReverseListener.listen({
        address,
        identity: () => this.#identity,
        parked: core.parked,
        admit: (host, agent) => core.parts.fleet.admit(host, agent),
        onBadDates: (host, why) => core.parts.fleet.noteRefusal(host, why),
        isRevoked: (serial) => this.#state.certificates.isRevoked(serial),
        log: this.#log,
      });
      this.#reverse.push(listener);
      return listener.port;
    };
    const news = this.#newsOf("agents that dial out", core);
    return StandingListener.open(this.#config.reverseListen, { ...news, bind });
  }

  #stand(listener: StandingListener): StandingListener {
    this.#standing.push(listener);
    return listener;
  }

  /** Tells people of addresses that the machine does not have, in the log, the events and the run file. */
  #newsOf(what: string, core: Core): ListenNews {
    const tell = (type: string, severity: EventSeverity, message: string): void => {
      core.parts.inventory.log.recordEvent("events", { type, severity, resource: "", message, caller: "" });
    };
    return {
      onMissing: (address, why) => {
        const message = `the hub does not listen at ${address} for ${what}: ${why}; it does as soon as that is otherwise`;
        this.#log.warn({ address, why }, message);
        tell("hub.listen_missing", EventSeverity.EVENT_SEVERITY_WARNING, message);
      },
      onTaken: (address) => {
        const message = `the hub listens at ${address} for ${what} now`;
        this.#log.info({ address }, message);
        tell("hub.listen_taken", EventSeverity.EVENT_SEVERITY_INFO, message);
        // One after the other: the last to be written is the last to be true.
        this.#writing = this.#writing
          .then(() => this.#writeRunFile())
          .catch((error: unknown) => this.#log.error({ err: error }, "cannot write the run file"));
      },
    };
  }

  #tellRelayGap(gapMs: number, core: Core): void {
    const message = `the hub's relay ended and was started again; it could take no link for ${(gapMs / 1000).toFixed(1)} s, and links that went through it come back by themselves`;
    this.#log.warn({ gapMs }, message);
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    core.parts.inventory.log.recordEvent("events", {
      ...{ type: "hub.relay-restarted", severity, resource: "", message, caller: "" },
    });
  }

  async #startJoin(): Promise<JoinProcess> {
    const { store, certificates, authority } = this.#state;
    const process = await JoinProcess.start({
      identity: this.#identity,
      caSha256: authority.fingerprint,
      tokens: () => listKnownTokens(store),
      join: (request) => {
        if (this.#core === undefined) throw new Error("the hub is not listening yet");
        const { fleet, inventory } = this.#core.parts;
        const record = (event: RecordedEvent): void => void inventory.log.recordEvent("events", event);
        return joinHub({ authority, certificates, store, fleet, record, addresses: this.#book }, request);
      },
      log: this.#log,
    });
    store.observe("tokens", (changes) => process.tell(knownTokensOf(changes)));
    return process;
  }

  async #renew(ips: readonly string[]): Promise<void> {
    try {
      const identity = await this.#state.ensureHubIdentity(ips);
      if (identity.certificatePem === this.#identity.certificatePem) return;
      this.#identity = identity;
      this.#main?.renew(identity);
      this.#join?.renew(identity);
      this.#metrics?.renew(identity);
      for (const listener of this.#reverse) listener.renew();
      this.#log.info("the hub's certificate was renewed");
    } catch (error) {
      this.#log.error({ err: error }, "cannot renew the hub's certificate; trying again later");
    }
  }

  async #writeRunFile(): Promise<void> {
    const { listen, join: joinListen, reverse, relay } = this.#addresses;
    const facts = {
      pid: process.pid,
      startTime: new Date(Date.now() - process.uptime() * 1000).toISOString(),
      version,
      listen,
      joinListen,
      reverseListen: reverse,
      relayListen: relay,
      metricsListen: this.metricsAddresses,
      missing: [...this.#standing.flatMap(({ missing }) => missing), ...(this.#core?.parts.relay.missing ?? [])],
      admin: this.adminDirectory,
    };
    await writeFileAtomic(join(this.#config.state, "run.json"), `${JSON.stringify(facts, undefined, 2)}\n`);
  }
}

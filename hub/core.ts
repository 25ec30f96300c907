import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../lib/log.js";
import { Operations } from "../lib/operations.js";
import type { Identity } from "../lib/tls/identity.js";
import { type Operation, OperationState } from "../proto/gen/zor/v1/operation.js";
import { Fleet } from "./fleet/fleet.js";
import { decodeHost } from "./fleet/host-record.js";
import { loadLastSeen, putLastSeen } from "./fleet/last-seen.js";
import { ParkedSockets } from "./fleet/parked-sockets.js";
import { DuplicateMacs } from "./kinds/lan/duplicate-macs.js";
import { LinkOperations } from "./kinds/link/link-operations.js";
import { decodeLink } from "./kinds/link/link-record.js";
import { Links } from "./kinds/link/links.js";
import { ObservedEnds } from "./kinds/link/observed/observed-ends.js";
import { createExecutors } from "./kinds/link/reconcile/executors.js";
import { Reconciler } from "./kinds/link/reconcile/loop.js";
import { Progress } from "./kinds/link/reconcile/progress.js";
import { Inventory } from "./kit/inventory.js";
import { abandoned, loadOperations, putOperation } from "./kit/stored-operations.js";
import { RelayHandle } from "./relay/relay-handle.js";
import { RelayMeter } from "./relay/relay-meter.js";
import { RelayTickets } from "./relay/relay-tickets.js";
import type { HubState } from "./state-directory.js";

/** How often what is observed is stored: when hosts were last heard, and bytes relayed. That much is lost in a crash of the hub. */
const storeObservedMs = 30_000;

/** What the core needs. */
export interface CoreOptions {
  /** Name of this hub. */
  readonly hub: string;
  readonly state: HubState;
  readonly identity: () => Identity;
  readonly log: Log;
  /** Whether an "ip:port" is one of the hub's own. */
  readonly isOwnAddress: (address: string) => boolean;
}

/** What of the relay is kept in the store. */
interface RelayRecords {
  readonly tickets: RelayTickets;
  readonly meter: RelayMeter;
}

/** The parts of a hub that know the fleet, wired together, without its listeners. */
export class Core {
  readonly inventory = new Inventory();
  readonly parked = new ParkedSockets();
  readonly fleet: Fleet;
  readonly links: Links;
  readonly operations: Operations;
  readonly linkOperations: LinkOperations;
  readonly relay: RelayHandle;
  readonly relayTickets: RelayTickets;
  readonly #meter: RelayMeter;
  readonly #options: CoreOptions;
  readonly #reconciler: Reconciler;
  readonly #duplicateMacs: DuplicateMacs;
  readonly #stop = new AbortController();
  #lastSeenTimer: NodeJS.Timeout | undefined;

  private constructor(options: CoreOptions, socketDirectory: string, { tickets, meter }: RelayRecords) {
    const { state, log } = options;
    this.#options = options;
    this.relayTickets = tickets;
    this.#meter = meter;
    const ends = new ObservedEnds((names) => {
      this.links.refresh(names);
      this.#reconciler.trigger();
    });
    this.links = new Links({
      inventory: this.inventory,
      ends,
      fleet: () => this.fleet,
      relayedBytes: (linkUid) => meter.ofLink(linkUid),
    });
    this.relay = new RelayHandle({ links: this.links, fleet: () => this.fleet, tickets, meter, log });
    this.fleet = new Fleet({
      hub: options.hub,
      identity: options.identity,
      isRevoked: (serial) => state.certificates.isRevoked(serial),
      revocations: state.certificates,
      inventory: this.inventory,
      relayedBytes: (hostUid) => meter.ofHost(hostUid),
      ends,
      parked: this.parked,
      socketDirectory,
      log,
      isOwnAddress: options.isOwnAddress,
      onChange: (host) => {
        this.links.refresh(this.links.onHost(host));
        this.relay.recheck();
        this.#reconciler.trigger();
      },
    });
    this.operations = new Operations({
      prefix: "operations",
      publish: (operation) => this.#publish(operation),
      forget: (name) => this.inventory.log.remove("operation", name),
    });
    this.linkOperations = new LinkOperations({
      store: state.store,
      links: this.links,
      operations: this.operations,
      trigger: () => this.reconcile(),
      stop: this.#stop.signal,
    });
    const progress = new Progress();
    const { fleet, links } = this;
    this.#reconciler = new Reconciler({
      fleet,
      ends,
      links,
      progress,
      executors: createExecutors({
        ...{ fleet, ends, links, progress },
        store: state.store,
        onForgotten: (linkUid) => meter.forget(linkUid),
      }),
      relay: () => this.relay.input(),
      log,
      onRefused: (link, error) => this.linkOperations.refuse(link, error),
    });
    this.#duplicateMacs = new DuplicateMacs({ inventory: this.inventory, links, log });
    state.certificates.onRevocation(() => this.parked.dropRevoked((serial) => state.certificates.isRevoked(serial)));
  }

  /** Loads what is desired and begins to observe; sessions and operations are under way when this resolves. */
  static async start(options: CoreOptions): Promise<Core> {
    const { store, directory } = options.state;
    // Sockets of an earlier run lead nowhere.
    const socketDirectory = join(directory, "dialled");
    await rm(socketDirectory, { recursive: true, force: true });
    await mkdir(socketDirectory, { mode: 0o700 });
    const records = { tickets: await RelayTickets.open(store), meter: await RelayMeter.open(store) };
    const core = new Core(options, socketDirectory, records);
    const lastSeen = await loadLastSeen(store);
    for (const stored of await store.list("hosts")) core.fleet.put(decodeHost(stored), lastSeen.get(stored.key));
    for (const stored of await store.list("links")) core.links.put(decodeLink(stored));
    await core.#resumeOperations();
    core.#lastSeenTimer = setInterval(() => void core.#storeObserved(), storeObservedMs).unref();
    return core;
  }

  /** Stops everything; what is on the hosts goes on. */
  async close(): Promise<void> {
    clearInterval(this.#lastSeenTimer);
    this.#stop.abort();
    await this.#duplicateMacs.close();
    await this.relay.close();
    await this.#storeObserved();
    await this.#reconciler.close();
    await this.operations.close();
    await this.fleet.close();
  }

  /** Looks at links and hosts again: what should be, and who may use the relay. */
  reconcile(): void {
    this.relay.recheck();
    this.#reconciler.trigger();
  }

  async #storeObserved(): Promise<void> {
    try {
      const changes = [putLastSeen(this.fleet.lastSeen()), this.#meter.plan(this.fleet.uids())];
      await this.#options.state.store.commit(changes);
    } catch (error) {
      this.#options.log.error({ err: error }, "cannot store when hosts were last seen and what was relayed");
    }
  }

  async #resumeOperations(): Promise<void> {
    const { store } = this.#options.state;
    const { unfinished, finished } = await loadOperations(store, new Date());
    for (const operation of finished) this.inventory.upsert({ kind: "operation", value: operation });
    for (const operation of unfinished) {
      if (this.links.find(operation.target) !== undefined) {
        this.linkOperations.resume(operation);
        continue;
      }
      // The link went just before the operation's end could be written.
      const message = `${operation.target} is gone; the hub was restarted before ${operation.verb} ended`;
      this.#publish(
        operation.verb === "link.delete"
          ? { ...operation, state: OperationState.OPERATION_STATE_SUCCEEDED, step: "done", progressPercent: 100 }
          : abandoned(operation, message, new Date()),
      );
    }
  }

  #publish(operation: Operation): void {
    this.inventory.upsert({ kind: "operation", value: operation });
    // Operations that end because the hub ends are carried on by the next run.
    if (operation.state === OperationState.OPERATION_STATE_RUNNING || this.#stop.signal.aborted) return;
    this.#options.state.store
      .commit([putOperation(operation)])
      .catch((error: unknown) => this.#options.log.error({ err: error }, "cannot store the end of an operation"));
  }
}

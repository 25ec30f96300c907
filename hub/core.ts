import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CallAudit } from "../lib/events/call-audit.js";
import { EventLog } from "../lib/events/event-log.js";
import { keepEvents } from "../lib/events/keep-events.js";
import type { AllowedListen } from "../lib/listen-policy.js";
import type { Log } from "../lib/log.js";
import type { Identity } from "../lib/tls/identity.js";
import { formatToken } from "../lib/tls/token.js";
import type { RecordedEvent } from "../lib/watch/watch-log.js";
import { EventSeverity } from "../proto/gen/zor/v1/event.js";
import { Fleet } from "./fleet/fleet.js";
import { HostEvents } from "./fleet/host-events.js";
import { ParkedSockets } from "./fleet/parked-sockets.js";
import { type HubSshSettings, SshWays } from "./fleet/ssh-ways.js";
import { AskedFigures } from "./kinds/host/figures/asked-figures.js";
import type { AddressBook } from "./kit/address-book.js";
import type { HubKind, HubKindPart, HubParts } from "./kit/hub-kind.js";
import { HubOperations } from "./kit/hub-operations.js";
import { Inventory } from "./kit/inventory.js";
import { Lister } from "./kit/lister.js";
import { References } from "./kit/references.js";
import { Remarks } from "./kit/remarks.js";
import { StoredRequests } from "./kit/requests.js";
import { Router } from "./kit/router.js";
import { Topology } from "./kit/topology.js";
import { Turns } from "./kit/turns.js";
import { InnerCalls } from "./kit/waves/inner-calls.js";
import { RelayHandle } from "./relay/relay-handle.js";
import { RelayMeter } from "./relay/relay-meter.js";
import { RelayTickets } from "./relay/relay-tickets.js";
import type { HubState } from "./state-directory.js";
import { LinkEnds } from "./views/link-ends.js";
import type { FactSource } from "./views/tables.js";
import { Views } from "./views/views.js";

/** How often what is observed is stored: when hosts were last heard, and bytes relayed. That much is lost in a crash of the hub. */
const storeObservedMs = 30_000;

/** Events from before the hub was started that watches begin with; all that are kept can be listed. */
const restoredEvents = 500;

/** What the core needs. */
export interface CoreOptions {
  /** Name of this hub. */
  readonly hub: string;
  readonly state: HubState;
  readonly identity: () => Identity;
  readonly addresses: AddressBook;
  /** Where exposes may listen. */
  readonly exposeListen: readonly AllowedListen[];
  readonly ssh: HubSshSettings;
  /** Kinds to which the hub adds something. */
  readonly kinds: readonly HubKind[];
  readonly log: Log;
}

/** The parts of a hub that know the fleet, without its listeners. Each is given those that were made before it. */
export class Core {
  readonly parked: ParkedSockets;
  readonly parts: HubParts;
  readonly kinds: readonly HubKindPart[];
  readonly #stop: AbortController;
  readonly #storing: NodeJS.Timeout;

  private constructor(made: {
    readonly parked: ParkedSockets;
    readonly parts: HubParts;
    readonly kinds: readonly HubKindPart[];
    readonly stop: AbortController;
  }) {
    this.parked = made.parked;
    this.parts = made.parts;
    this.kinds = made.kinds;
    this.#stop = made.stop;
    this.#storing = setInterval(() => void this.#storeObserved(), storeObservedMs).unref();
  }

  /** Loads what is desired and begins to observe; sessions and operations are under way when this resolves. */
  static async start(options: CoreOptions): Promise<Core> {
    const { hub, state, identity, addresses, exposeListen, ssh, kinds: wanted, log } = options;
    const { store, directory, certificates, authority } = state;
    // Sockets of an earlier run lead nowhere.
    const socketDirectory = join(directory, "dialled");
    await rm(socketDirectory, { recursive: true, force: true });
    await mkdir(socketDirectory, { mode: 0o700 });
    const stop = new AbortController();
    const [tickets, meter] = [await RelayTickets.open(store), await RelayMeter.open(store)];
    const events = await EventLog.open({
      directory: join(directory, "events"),
      onTrouble: (message) => log.warn(message),
    });
    const inventory = new Inventory({ nextEventId: () => events.nextId });
    const audit = new CallAudit({ self: "", record: (event) => void inventory.log.recordEvent("events", event) });
    const hostEvents = new HostEvents({
      events,
      log,
      onMany: (host) => void inventory.log.recordEvent("events", tooManyEvents(host)),
    });
    await keepEvents(inventory.log, events, restoredEvents, (event) => hostEvents.take(event));
    const parked = new ParkedSockets();
    certificates.onRevocation(() => parked.dropRevoked((serial) => certificates.isRevoked(serial)));
    const ways = new SshWays(ssh, socketDirectory);
    stop.signal.addEventListener("abort", () => ways.close(), { once: true });
    const fleet = new Fleet({
      ...{ hub, identity, inventory, parked, socketDirectory, log, ssh: ways },
      isRevoked: (serial) => certificates.isRevoked(serial),
      revocations: certificates,
      relayedBytes: (hostUid) => meter.ofHost(hostUid),
    });
    fleet.addPart(hostEvents);
    const [router, turns] = [new Router(fleet), new Turns()];
    const figures = new AskedFigures({ fleet, router, log, stop: stop.signal });
    const ends = new LinkEnds(inventory.log);
    const facts: FactSource = {
      nowMs: () => Date.now(),
      figure: (name, figure) => figures.figure(name, figure),
      links: (name) => ends.of(name),
      hold: (_caller, asked) => figures.hold(asked),
      onFigure: (listener) => figures.onFigure(listener),
    };
    const views = new Views({ log: inventory.log, facts, turns });
    const parts: HubParts = {
      ...{
        store,
        inventory,
        events,
        audit,
        fleet,
        certificates,
        addresses,
        exposeListen,
        ways,
        log,
        stop: stop.signal,
      },
      relay: new RelayHandle({ tickets, meter, directory, log }),
      operations: new HubOperations({ store, inventory, log, audit, stop: stop.signal }),
      calls: new InnerCalls(),
      requests: new StoredRequests(store),
      ...{ router, views },
      lister: new Lister(fleet, inventory, { turns, finder: views.tables }),
      references: new References(),
      topology: new Topology(inventory),
      remarks: new Remarks(),
      formatToken: (secret) =>
        formatToken({ addresses: addresses.advertised.join, caSha256: authority.fingerprint, secret }),
    };
    const kinds = wanted.map((kind) => kind.create(parts));
    for (const kind of kinds) await kind.load?.();
    await parts.operations.resume();
    return new Core({ parked, parts, kinds, stop });
  }

  /** Others reach the hub now. */
  serving(): void {
    for (const kind of this.kinds) kind.serving?.();
  }

  /** Stops everything; what is on the hosts goes on. */
  async close(): Promise<void> {
    const { relay, operations, fleet, events, audit, views } = this.parts;
    clearInterval(this.#storing);
    this.#stop.abort();
    views.close();
    await relay.close();
    await this.#storeObserved();
    for (const kind of this.kinds.toReversed()) await kind.close?.();
    await operations.close();
    await fleet.close();
    audit.close();
    await events.close();
  }

  async #storeObserved(): Promise<void> {
    const { store, log } = this.parts;
    try {
      await store.commit(this.kinds.flatMap((kind) => kind.keep?.() ?? []));
    } catch (error) {
      log.error({ err: error }, "cannot store when hosts were last seen and what was relayed");
    }
  }
}

function tooManyEvents(host: string): RecordedEvent {
  const resource = `hosts/${host}`;
  return {
    severity: EventSeverity.EVENT_SEVERITY_WARNING,
    type: "host.many-events",
    resource,
    message: `the agent of ${resource} tells so many events that the hub takes them slowly; none is lost: look at them on the host itself`,
    caller: "",
  };
}

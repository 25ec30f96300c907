import { createHash } from "node:crypto";
import { AsyncQueue } from "../../lib/async-queue.js";
import { invalidFields, notFound } from "../../lib/errors.js";
import type { CallContext, Handlers } from "../../lib/grpc/service.js";
import {
  type CableServiceService,
  DirectPath,
  type EndSpec,
  EndStatus,
  type WatchEndsResponse,
} from "../../proto/gen/zor/agent/v1/cable_service.js";
import {
  LinkCause,
  LinkEncryption,
  LinkEnd,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
} from "../../proto/gen/zor/v1/link.js";
import type { DiagnosedHop } from "../../proto/gen/zor/v1/link_service.js";
import type { FakeHostModel } from "./agent-model.js";
import { FakeRelayEnd } from "./relay-end.js";

interface FakeEnd {
  spec: EndSpec;
  readonly ticket: Buffer;
  paired: boolean;
  needsTicket: boolean;
  state: LinkState;
  reason: string;
  cause: LinkCause;
  path: LinkPath;
  relay: FakeRelayEnd | undefined;
}

const redialMs = 300;

/** The network between fake hosts: which cable engine answers at which address. */
export class FakeUnderlay {
  readonly #engines = new Map<string, FakeCables>();
  readonly #cut = new Set<FakeCables>();

  add(address: string, engine: FakeCables): void {
    this.#engines.set(address, engine);
  }

  /** Nobody can connect to this engine any more, though it can to others. */
  hide(engine: FakeCables): void {
    this.#cut.add(engine);
  }

  find(address: string): FakeCables | undefined {
    const engine = this.#engines.get(address);
    return engine === undefined || this.#cut.has(engine) ? undefined : engine;
  }
}

/** A fake cable engine: it follows the rules of tickets, pinned keys and the relay, and carries nothing. It outlives the fake agent. */
export class FakeCables {
  readonly keySha256: Buffer;
  underlayAddress: string;
  readonly port = 7444;
  /** What the agent's policy allows, and what the host can. */
  allowsPlain = false;
  transports: LinkTransport[] = [LinkTransport.LINK_TRANSPORT_TCP];
  readonly #model: FakeHostModel;
  readonly #underlay: FakeUnderlay;
  readonly #ends = new Map<string, FakeEnd>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchers = new Set<AsyncQueue<WatchEndsResponse>>();
  /** Asks for ends made of this engine, for tests to look at. */
  readonly asked: EndSpec[] = [];
  /** Thrown at the next asks for an end. */
  refusal: Error | undefined;
  /** What tests of an end's hops give; undefined: this agent cannot test them. */
  hops: DiagnosedHop[] | undefined;

  constructor(model: FakeHostModel, underlay: FakeUnderlay, underlayAddress: string) {
    this.#model = model;
    this.#underlay = underlay;
    this.underlayAddress = underlayAddress;
    this.keySha256 = createHash("sha256").update(model.uid).digest();
    underlay.add(`${underlayAddress}:${this.port}`, this);
  }

  get links(): string[] {
    return [...this.#ends.keys()];
  }

  /** Breaks a cable's connection, or lets it come back. */
  setState(link: string, state: LinkState, reason: string, cause = LinkCause.LINK_CAUSE_UNSPECIFIED): void {
    this.#change(link, { state, reason, cause });
  }

  /** Forgets every end, as a host whose state directory was lost does. */
  loseEnds(): void {
    const removed = this.links;
    this.#ends.clear();
    for (const watcher of this.#watchers) watcher.push({ ends: [], removed, snapshot: false });
  }

  /** Sends so many bytes through the relay. */
  sendRelayed(link: string, bytes: number): void {
    this.#end(link).relay?.send(bytes);
  }

  /** Closes what real sockets there are, and dials no more. */
  close(): void {
    for (const { relay } of this.#ends.values()) relay?.close();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  handlers(): Handlers<typeof CableServiceService> {
    return {
      ensureEnd: async ({ end }) => {
        if (this.refusal !== undefined) throw this.refusal;
        if (end === undefined) throw notFound("end");
        return { status: this.#ensure(end) };
      },
      deleteEnd: async ({ link, linkUid }) => {
        const end = this.#ends.get(link);
        if (end !== undefined && (linkUid === "" || end.spec.linkUid === linkUid)) {
          end.relay?.close();
          this.#ends.delete(link);
          for (const watcher of this.#watchers) watcher.push({ ends: [], removed: [link], snapshot: false });
        }
        return {};
      },
      checkDropFilters: async ({ filters }) => {
        const bad = filters.filter(({ filter }) => filter.includes("nonsense"));
        if (bad.length > 0) throw invalidFields(bad.map(({ field }) => ({ field, description: "does not compile" })));
        return {};
      },
      listEnds: async () => ({ ends: this.#statuses() }),
      diagnoseEnd: ({ link }) => this.#diagnose(link),
      watchEnds: (_request, context) => this.#watch(context),
    };
  }

  async *#diagnose(link: string) {
    this.#end(link);
    for (const hop of this.hops ?? []) yield { hop };
  }

  #ensure(spec: EndSpec): EndStatus {
    for (const lan of [spec.lan, spec.localPeerLan].filter((id) => id !== "")) {
      this.#model.lan(`hosts/${this.#model.host}/lans/${lan}`);
    }
    this.asked.push(spec);
    const known = this.#ends.get(spec.link);
    const roleChanged = known !== undefined && known.spec.role !== spec.role;
    if (spec.ticket.length > 0 || known === undefined) {
      known?.relay?.close();
      this.#ends.set(spec.link, {
        ...{ spec, ticket: spec.ticket, paired: false, needsTicket: spec.ticket.length === 0 },
        ...{ state: LinkState.LINK_STATE_DOWN, reason: "not connected yet", cause: LinkCause.LINK_CAUSE_UNSPECIFIED },
        ...{ path: LinkPath.LINK_PATH_UNSPECIFIED, relay: undefined },
      });
    } else known.spec = spec;
    const isVxlan = spec.transport === LinkTransport.LINK_TRANSPORT_VXLAN;
    if (isVxlan || spec.localPeerLan !== "") {
      this.#pair(spec.link, isVxlan ? LinkPath.LINK_PATH_DIRECT : LinkPath.LINK_PATH_LOCAL);
    } else if (spec.ticket.length > 0 || roleChanged) this.#connect(spec);
    this.#tell(spec.link);
    return this.#status(spec.link);
  }

  #connect(spec: EndSpec): void {
    const end = this.#end(spec.link);
    end.relay?.close();
    end.relay = undefined;
    if (spec.role === LinkRole.LINK_ROLE_DIALER) {
      if (this.#dial(spec)) return;
      this.#dialLater(spec);
    }
    const [address] = spec.relayAddresses;
    if (address !== undefined) this.#dialRelay(spec, address);
    const cause = LinkCause.LINK_CAUSE_TIMED_OUT;
    if (end.paired) this.#change(spec.link, { state: LinkState.LINK_STATE_DOWN, reason: "nobody answers", cause });
  }

  /** As a real engine does, for as long as it has nothing better. */
  #dialLater(spec: EndSpec): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const end = this.#ends.get(spec.link);
      if (end?.spec === spec && end.path !== LinkPath.LINK_PATH_DIRECT && !this.#dial(spec)) this.#dialLater(spec);
    }, redialMs);
    this.#timers.add(timer);
  }

  /** True when the other engine answers and takes it. */
  #dial(spec: EndSpec): boolean {
    const peer = this.#findPeer(spec);
    const mine = this.#end(spec.link);
    const theirs = peer?.accepts(spec, mine.paired, this.keySha256);
    if (peer === undefined || theirs !== true || !peer.keySha256.equals(spec.peerKeySha256)) return false;
    for (const engine of [this, peer]) engine.#pair(spec.link, LinkPath.LINK_PATH_DIRECT);
    return true;
  }

  #dialRelay(spec: EndSpec, address: string): void {
    const role = spec.role === LinkRole.LINK_ROLE_LISTENER ? "listener" : "dialer";
    const relay = new FakeRelayEnd({
      ...{ address, ticket: spec.relayTicket, linkUid: spec.linkUid, role },
      onPaired: () => this.#pair(spec.link, LinkPath.LINK_PATH_RELAYED),
      onClosed: () => {
        const end = this.#ends.get(spec.link);
        if (end?.relay !== relay || end.path !== LinkPath.LINK_PATH_RELAYED) return;
        const cause = LinkCause.LINK_CAUSE_LOST;
        this.#change(spec.link, { state: LinkState.LINK_STATE_DOWN, reason: "the relay closed the connection", cause });
      },
    });
    this.#end(spec.link).relay = relay;
  }

  #findPeer(spec: EndSpec): FakeCables | undefined {
    return spec.peerAddresses
      .map((address) => this.#underlay.find(address))
      .find((engine) => engine !== undefined && engine !== this);
  }

  /** Whether a dialer with this key may come in: with the ticket, which is then used up, or because the two know each other. */
  accepts(spec: EndSpec, knowsMe: boolean, key: Buffer): boolean {
    const end = this.#ends.get(spec.link);
    if (end?.spec.role !== LinkRole.LINK_ROLE_LISTENER || !end.spec.peerKeySha256.equals(key)) return false;
    return (spec.ticket.length > 0 && end.ticket.equals(spec.ticket)) || (knowsMe && end.paired);
  }

  #pair(link: string, path: LinkPath): void {
    if (!this.#ends.has(link)) return;
    this.#change(link, {
      ...{ paired: true, needsTicket: false, path },
      ...{ state: LinkState.LINK_STATE_ACTIVE, reason: "", cause: LinkCause.LINK_CAUSE_UNSPECIFIED },
    });
  }

  #change(link: string, changes: Partial<FakeEnd>): void {
    Object.assign(this.#end(link), changes);
    this.#tell(link);
  }

  #end(link: string): FakeEnd {
    const end = this.#ends.get(link);
    if (end === undefined) throw notFound(link);
    return end;
  }

  async *#watch({ signal }: CallContext): AsyncIterable<WatchEndsResponse> {
    const queue = new AsyncQueue<WatchEndsResponse>(1000);
    queue.push({ ends: this.#statuses(), removed: [], snapshot: true });
    this.#watchers.add(queue);
    signal.addEventListener("abort", () => queue.end(), { once: true });
    try {
      yield* queue;
    } finally {
      this.#watchers.delete(queue);
    }
  }

  #tell(link: string): void {
    for (const watcher of this.#watchers) watcher.push({ ends: [this.#status(link)], removed: [], snapshot: false });
  }

  #statuses(): EndStatus[] {
    return this.links.map((link) => this.#status(link));
  }

  #status(link: string): EndStatus {
    const { spec, paired, needsTicket, state, reason, cause, path } = this.#end(link);
    const active = state === LinkState.LINK_STATE_ACTIVE;
    const clear =
      spec.transport === LinkTransport.LINK_TRANSPORT_VXLAN || spec.encryption === LinkEncryption.LINK_ENCRYPTION_NONE;
    const endOf = (lan: string): LinkEnd =>
      LinkEnd.fromPartial({
        lan: `hosts/${this.#model.host}/lans/${lan}`,
        ...{ role: spec.role, state, reason, cause, path },
        remoteAddress: active ? "10.9.9.9:7444" : "",
        mtuProven: active ? 1500 : 0,
        protection: active ? (clear ? "none" : "TLSv1.3 TLS_AES_128_GCM_SHA256") : "",
      });
    return EndStatus.fromPartial({
      ...{ link, linkUid: spec.linkUid, paired, needsTicket },
      direct: this.#directOf(spec, path),
      end: endOf(spec.lan),
      localPeer: spec.localPeerLan === "" ? undefined : endOf(spec.localPeerLan),
    });
  }

  #directOf(spec: EndSpec, path: LinkPath): DirectPath {
    if (spec.peerAddresses.length === 0 || path === LinkPath.LINK_PATH_DIRECT) {
      return DirectPath.DIRECT_PATH_UNSPECIFIED;
    }
    return this.#findPeer(spec) === undefined ? DirectPath.DIRECT_PATH_CLOSED : DirectPath.DIRECT_PATH_OPEN;
  }
}

import { createHash } from "node:crypto";
import { AsyncQueue } from "../../lib/async-queue.js";
import { notFound } from "../../lib/errors.js";
import type { CallContext, Handlers } from "../../lib/grpc/service.js";
import {
  type CableServiceService,
  type EndSpec,
  EndStatus,
  type WatchEndsResponse,
} from "../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkEnd, LinkRole, LinkState } from "../../proto/gen/zor/v1/link.js";
import type { FakeHostModel } from "./agent-model.js";

interface FakeEnd {
  readonly spec: EndSpec;
  readonly ticket: Buffer;
  paired: boolean;
  needsTicket: boolean;
  state: LinkState;
  reason: string;
}

/** The network between fake hosts: which cable engine answers at which address. */
export class FakeUnderlay {
  readonly #engines = new Map<string, FakeCables>();

  add(address: string, engine: FakeCables): void {
    this.#engines.set(address, engine);
  }

  find(address: string): FakeCables | undefined {
    return this.#engines.get(address);
  }
}

/** A fake cable engine: it follows the rules of tickets and pinned keys, and carries nothing. It outlives the fake agent. */
export class FakeCables {
  readonly keySha256: Buffer;
  readonly underlayAddress: string;
  readonly port = 7444;
  readonly #model: FakeHostModel;
  readonly #underlay: FakeUnderlay;
  readonly #ends = new Map<string, FakeEnd>();
  readonly #watchers = new Set<AsyncQueue<WatchEndsResponse>>();
  /** Asks for ends made of this engine, for tests to look at. */
  readonly asked: EndSpec[] = [];
  /** Thrown at the next asks for an end. */
  refusal: Error | undefined;

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
  setState(link: string, state: LinkState, reason: string): void {
    const end = this.#ends.get(link);
    if (end === undefined) throw notFound(link);
    end.state = state;
    end.reason = reason;
    this.#tell(link);
  }

  /** Forgets every end, as a host whose state directory was lost does. */
  loseEnds(): void {
    const removed = this.links;
    this.#ends.clear();
    for (const watcher of this.#watchers) watcher.push({ ends: [], removed, snapshot: false });
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
          this.#ends.delete(link);
          for (const watcher of this.#watchers) watcher.push({ ends: [], removed: [link], snapshot: false });
        }
        return {};
      },
      listEnds: async () => ({ ends: this.#statuses() }),
      diagnoseEnd: async function* ({ link }) {
        throw notFound(link);
      },
      watchEnds: (_request, context) => this.#watch(context),
    };
  }

  #ensure(spec: EndSpec): EndStatus {
    this.#model.lan(`hosts/${this.#model.host}/lans/${spec.lan}`);
    this.asked.push(spec);
    const known = this.#ends.get(spec.link);
    if (spec.ticket.length > 0 || known === undefined) {
      this.#ends.set(spec.link, {
        spec,
        ticket: spec.ticket,
        paired: false,
        needsTicket: spec.ticket.length === 0,
        state: LinkState.LINK_STATE_DOWN,
        reason: "not connected yet",
      });
    }
    if (spec.role === LinkRole.LINK_ROLE_DIALER && spec.ticket.length > 0) this.#dial(spec);
    this.#tell(spec.link);
    return this.#status(spec.link);
  }

  #dial(spec: EndSpec): void {
    const peer = spec.peerAddresses
      .map((address) => this.#underlay.find(address))
      .find((engine) => engine !== undefined);
    const mine = this.#ends.get(spec.link);
    const theirs = peer?.acceptTicket(spec.link, spec.ticket, this.keySha256);
    if (mine === undefined || peer === undefined || theirs !== true || !peer.keySha256.equals(spec.peerKeySha256))
      return;
    for (const engine of [this, peer]) engine.#pair(spec.link);
  }

  /** Whether a dialer with this key and ticket may come in; the ticket is then used up. */
  acceptTicket(link: string, ticket: Buffer, key: Buffer): boolean {
    const end = this.#ends.get(link);
    return (
      end?.spec.role === LinkRole.LINK_ROLE_LISTENER && end.ticket.equals(ticket) && end.spec.peerKeySha256.equals(key)
    );
  }

  #pair(link: string): void {
    const end = this.#ends.get(link);
    if (end === undefined) return;
    end.paired = true;
    end.needsTicket = false;
    end.state = LinkState.LINK_STATE_ACTIVE;
    end.reason = "";
    this.#tell(link);
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
    const end = this.#ends.get(link);
    if (end === undefined) throw notFound(link);
    const { spec, paired, needsTicket, state, reason } = end;
    const active = state === LinkState.LINK_STATE_ACTIVE;
    return EndStatus.fromPartial({
      link,
      linkUid: spec.linkUid,
      paired,
      needsTicket,
      end: LinkEnd.fromPartial({
        lan: `hosts/${this.#model.host}/lans/${spec.lan}`,
        role: spec.role,
        state,
        reason,
        remoteAddress: active ? "10.9.9.9:7444" : "",
        mtuProven: active ? 1500 : 0,
      }),
    });
  }
}

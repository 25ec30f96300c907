import { unavailable } from "../../lib/errors.js";
import type { Log } from "../../lib/log.js";
import type { Identity } from "../../lib/tls/identity.js";
import type { HelloResponse } from "../../proto/gen/zor/agent/v1/agent_service.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import { type Host, HostState } from "../../proto/gen/zor/v1/host.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { Inventory } from "../kit/inventory.js";
import { Copies, type MetAgent } from "./copies.js";
import type { SshWays } from "./ssh-ways.js";
import { Dialler } from "./dialler.js";
import {
  findUnreachable,
  type HostRecord,
  hostNotFound,
  isCurrent,
  lastSeenText,
  neverJoined,
  type SessionView,
  viewHost,
} from "./host-record.js";
import type { ParkedSockets } from "./parked-sockets.js";
import { HostSession, type ReadyAgent } from "./session.js";
import type { SessionPart } from "./session-part.js";
import type { RevokedSerials } from "./tell-revocations.js";

/** What the fleet needs. */
export interface FleetOptions {
  /** Ways to agents through ssh servers. */
  readonly ssh: SshWays;
  /** Name of this hub. */
  readonly hub: string;
  readonly identity: () => Identity;
  readonly isRevoked: (serial: string) => boolean;
  readonly revocations: RevokedSerials;
  readonly inventory: Inventory;
  /** Bytes that the hub's relay has carried for a host, by its uid. */
  readonly relayedBytes: (hostUid: string) => bigint;
  readonly parked: ParkedSockets;
  /** Directory for the sockets through which agents that dial in are used; the hub's own, mode 0700. */
  readonly socketDirectory: string;
  readonly log: Log;
}

/** A host that has joined, and what its agent said of itself. */
export interface Greeting {
  /** As it is registered. */
  readonly host: Host;
  /** Undefined until its agent has been greeted since the hub began. */
  readonly hello: HelloResponse | undefined;
  /** Its agent can be asked now. */
  readonly ready: boolean;
}

interface Member {
  record: HostRecord;
  session: HostSession | undefined;
  state: HostState;
}

/** All registered hosts, each with its session. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<string, Member>();
  readonly #closing = new Set<Promise<void>>();
  readonly #dialler: Dialler;
  /** Second agents of hosts. */
  readonly #copies: Copies;
  readonly #parts: SessionPart[] = [];
  readonly #listeners: ((host: string) => void)[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#copies = new Copies({
      onFound: (host, why) => this.#recordCopy(host, why),
      onGone: (host) => this.#changed(host),
    });
    this.#dialler = new Dialler({ ...options, copies: this.#copies });
  }

  /** Has every session that begins from now on do something beside. */
  addPart(part: SessionPart): void {
    this.#parts.push(part);
  }

  /** Calls back with the id of every host that has changed, or whose state has. */
  onChange(listener: (host: string) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Takes in a new or changed host. A session begins when it has joined, and begins anew when it joins
   * again. `restored` is what an earlier run of the hub knew.
   */
  put(record: HostRecord, restored?: SessionView): void {
    const member = this.#members.get(record.id) ?? {
      record,
      session: undefined,
      state: HostState.HOST_STATE_UNSPECIFIED,
    };
    this.#members.set(record.id, member);
    member.record = record;
    const previous = member.session?.view ?? restored;
    const ended = member.session === undefined ? undefined : this.#end(member.session);
    member.session = undefined;
    if (record.host.uid !== "") {
      const session = this.#createSession(record.id, previous);
      member.session = session;
      session.start(ended);
    }
    this.#changed(record.id);
  }

  /** Takes in a host of which something was changed while its agent is where it was: the session goes on. */
  amend(record: HostRecord): void {
    const member = this.#members.get(record.id);
    if (member === undefined) return;
    member.record = record;
    this.#changed(record.id);
  }

  /** A host that dials the hub was refused, and why. Kept for those that are registered only. */
  noteRefusal(id: string, why: string): void {
    if (this.#members.has(id)) this.#dialler.noteRefusal(id, why);
  }

  /**
   * Whether an agent that has dialled in may be used: "", or why it is not. Of two with one identity the one that is used stays
   * while it answers; one that does not answer has ended or is cut off, and loses its place at once.
   */
  async admit(id: string, newcomer: MetAgent): Promise<string> {
    const incumbent = this.#members.get(id)?.session?.incumbent;
    if (incumbent === undefined || newcomer.boot === "" || newcomer.boot === incumbent.boot) return "";
    if (await incumbent.answers()) return this.#copies.refused(id, incumbent, newcomer);
    incumbent.lose(`its agent at ${incumbent.address} does not answer, and another one has come`);
    return "";
  }

  /** Forgets a host. Nothing on it is touched. */
  remove(id: string): void {
    const member = this.#members.get(id);
    if (member?.session !== undefined) void this.#end(member.session);
    this.#members.delete(id);
    this.#dialler.forget(id);
    this.#copies.forget(id);
    this.#options.inventory.removeHost(id);
    for (const part of this.#parts) part.forgotten(id);
    this.#tell(id);
  }

  /** Breaks the session with a host; it begins anew, and fails while the host's certificate is revoked. */
  reconnect(id: string): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.put(member.record);
  }

  find(id: string): HostRecord | undefined {
    return this.#members.get(id)?.record;
  }

  /** All hosts as they are now. */
  list(now: Date): Host[] {
    return [...this.#members.values()].map((member) => this.#view(member, now));
  }

  /** Hosts of which what is known may be old: of all, or whether this one is. @throws {ZorError} NOT_FOUND. */
  unreachable(now: Date, id?: string): Unreachable[] {
    if (id !== undefined) {
      const found = findUnreachable(this.get(id, now), now);
      return found === undefined ? [] : [found];
    }
    const found: Unreachable[] = [];
    for (const member of this.#members.values()) {
      // A view of each would cost more than the list.
      if (isCurrent(viewOf(member).state)) continue;
      const unreachable = findUnreachable(this.#view(member, now), now);
      if (unreachable !== undefined) found.push(unreachable);
    }
    return found;
  }

  /** One host as it is now. @throws {ZorError} NOT_FOUND. */
  get(id: string, now: Date): Host {
    const member = this.#members.get(id);
    if (member === undefined) throw hostNotFound(`hosts/${id}`);
    return this.#view(member, now);
  }

  /** Uids of all hosts. */
  uids(): Set<string> {
    return new Set([...this.#members.values()].map(({ record }) => record.host.uid));
  }

  /** When each host that was ever heard was last heard. */
  lastSeen(): Map<string, Date> {
    const times = new Map<string, Date>();
    for (const [id, { session }] of this.#members) {
      const time = session?.view.lastSeen;
      if (time !== undefined) times.set(id, time);
    }
    return times;
  }

  /** The agent of a host if its session is up. */
  findReady(id: string): ReadyAgent | undefined {
    return this.#members.get(id)?.session?.ready;
  }

  /** The agent of a host. @throws {ZorError} NOT_FOUND, or UNAVAILABLE with the age of what is known and what to do. */
  agent(id: string): ReadyAgent {
    const ready = this.findReady(id);
    if (ready !== undefined) return ready;
    const member = this.#members.get(id);
    if (member === undefined) throw hostNotFound(`hosts/${id}`);
    const { state, reason, lastSeen } = viewOf(member);
    const name = HostState[state].replace("HOST_STATE_", "");
    if (state === HostState.HOST_STATE_PENDING) {
      throw unavailable("HOST_NOT_READY", `hosts/${id}`, `hosts/${id} is ${name}: ${reason}`);
    }
    throw unavailable(
      "HOST_NOT_READY",
      `hosts/${id}`,
      `hosts/${id} is ${name}, ${lastSeenText(lastSeen, new Date())} (${reason}); nothing on it was changed; ${remedyOf(state)}`,
    );
  }

  /** What a host's agent said when it was last greeted; undefined when the host is not registered or has never joined. */
  findGreeting(id: string): Greeting | undefined {
    const member = this.#members.get(id);
    if (member?.session === undefined) return undefined;
    const { hello, ready } = member.session;
    return { host: member.record.host, hello, ready: ready !== undefined };
  }

  /** Ends every session. */
  async close(): Promise<void> {
    for (const { session } of this.#members.values()) if (session !== undefined) void this.#end(session);
    await Promise.all(this.#closing);
  }

  #createSession(id: string, previous: SessionView | undefined): HostSession {
    const { inventory, revocations, log } = this.#options;
    return new HostSession({
      host: id,
      connect: (signal, onFailure) => {
        const { addresses = [], via = "" } = this.#members.get(id)?.record.host ?? {};
        return this.#dialler.connect({ id, addresses, via, signal, onFailure });
      },
      inventory,
      parts: this.#parts,
      revocations,
      log,
      onRefused: ({ count, last }) => this.#recordRefusal(id, count, last),
      onChange: () => this.#changed(id),
      previous,
    });
  }

  #end(session: HostSession): Promise<void> {
    const closing = session.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    return closing;
  }

  #view(member: Member, now: Date): Host {
    const { host } = member.record;
    return viewHost(host, viewOf(member), {
      now,
      relayedBytes: this.#options.relayedBytes(host.uid),
      copy: this.#copies.whyOf(member.record.id),
    });
  }

  #changed(id: string): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    const { inventory } = this.#options;
    const view = viewOf(member);
    inventory.setHost(this.#view(member, new Date()));
    if (member.state !== view.state) {
      const known = member.state !== HostState.HOST_STATE_UNSPECIFIED;
      member.state = view.state;
      if (known) this.#recordEvent(id, view);
    }
    this.#tell(id);
  }

  #tell(id: string): void {
    for (const listener of this.#listeners) listener(id);
  }

  /** Counts a statement of a host's agent that was refused elsewhere, in an answer. */
  refuse(id: string, refused: { readonly name: string; readonly why: string }): void {
    this.#members.get(id)?.session?.refuse(refused);
  }

  #recordRefusal(id: string, count: number, last: string): void {
    this.#options.inventory.log.recordEvent("events", {
      severity: EventSeverity.EVENT_SEVERITY_ERROR,
      type: "host.statement-refused",
      resource: `hosts/${id}`,
      message: `the hub refused what the agent of hosts/${id} said (${count} so far): ${last}`,
      caller: "",
    });
  }

  #recordCopy(id: string, why: string): void {
    this.#options.log.warn({ host: id, why }, "a second agent of a host was refused");
    this.#options.inventory.log.recordEvent("events", {
      severity: EventSeverity.EVENT_SEVERITY_ERROR,
      type: "host.copy-refused",
      resource: `hosts/${id}`,
      message: why,
      caller: "",
    });
    this.#changed(id);
  }

  #recordEvent(id: string, { state, reason }: SessionView): void {
    const up = state === HostState.HOST_STATE_READY || state === HostState.HOST_STATE_CONNECTING;
    const name = HostState[state].replace("HOST_STATE_", "").toLowerCase();
    this.#options.inventory.log.recordEvent("events", {
      severity: up ? EventSeverity.EVENT_SEVERITY_INFO : EventSeverity.EVENT_SEVERITY_WARNING,
      type: `host.${name}`,
      resource: `hosts/${id}`,
      message: reason === "" ? `hosts/${id} is ${name}` : `hosts/${id} is ${name}: ${reason}`,
      caller: "",
    });
  }
}

function viewOf({ session, record }: Member): SessionView {
  return session?.view ?? neverJoined(record.id);
}

function remedyOf(state: HostState): string {
  if (state === HostState.HOST_STATE_INCOMPATIBLE) return "upgrade the older of hub and agent";
  return "check that the agent runs and can be reached; the hub keeps trying";
}

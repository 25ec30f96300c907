import { toDuration } from "../../lib/duration.js";
import { notFound } from "../../lib/errors.js";
import type { Duration } from "../../proto/gen/google/protobuf/duration.js";
import { Host, HostState } from "../../proto/gen/zor/v1/host.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import { decodeRow, encodeRow } from "../kit/stored-row.js";
import type { Change, StoredRecord } from "../store/store.js";

/** A registered host: what must survive the hub. */
export interface HostRecord {
  readonly id: string;
  /** What of it is declared, without what is observed. An empty uid: it never joined. */
  readonly host: Host;
  /** Identity of the caller who made it so; of a host that joined, its own. */
  readonly changedBy: string;
  readonly revision: bigint;
}

/** What the hub's session with a host's agent tells. */
export interface SessionView {
  readonly state: HostState;
  readonly reason: string;
  readonly lastSeen: Date | undefined;
  readonly rttMs: number | undefined;
  /** The host as its agent last described it. */
  readonly reported: Host | undefined;
  /** What its agent said that was not believed. */
  readonly refused: Refusals;
}

/** Statements of an agent that were refused. */
export interface Refusals {
  readonly count: number;
  /** The newest one, with the reason; "" while there is none. */
  readonly last: string;
}

/** Before anything was refused. */
export const nothingRefused: Refusals = { count: 0, last: "" };

/** The view of a host whose agent has never joined; it says how it does. */
export function neverJoined(id: string): SessionView {
  return {
    state: HostState.HOST_STATE_PENDING,
    reason: `its agent has not joined yet; run "zor agent join TOKEN" on it with its token, or with a new one from "zor token create --host ${id}"`,
    lastSeen: undefined,
    rttMs: undefined,
    reported: undefined,
    refused: nothingRefused,
  };
}

/** A host as callers see it. @param facts.now dates the age. @param facts.relayedBytes that the relay has carried for it. @param facts.copy why a second agent of it is refused, or "". */
export function viewHost(
  record: Host,
  session: SessionView,
  { now, relayedBytes, copy }: { readonly now: Date; readonly relayedBytes: bigint; readonly copy: string },
): Host {
  const { reported } = session;
  return Host.fromPartial({
    ...record,
    state: session.state,
    reason: reasonOf(session, copy),
    lastSeenTime: session.lastSeen,
    lastSeenAge: ageOf(session.lastSeen, now),
    fingerprint: reported?.fingerprint,
    summary: reported?.summary,
    agentPid: reported?.agentPid ?? 0n,
    sessionRtt: session.rttMs === undefined ? undefined : toDuration(session.rttMs),
    relayedBytes,
    refusedStatements: BigInt(session.refused.count),
    lastRefusal: session.refused.last,
  });
}

/** Why the host is as it is; that its agent is not to be trusted is more than that it is ready, and than what the agent says itself. */
function reasonOf({ reason, refused, reported }: SessionView, copy: string): string {
  if (reason !== "") return reason;
  if (copy !== "") return copy;
  if (refused.count === 0) return reported?.reason ?? "";
  const statements = refused.count === 1 ? "a statement" : `${refused.count} statements`;
  return `the hub refused ${statements} of its agent, last: ${refused.last}`;
}

/** Whether what is known of a host is current, or empty because the host has yet to join. */
export function isCurrent(state: HostState): boolean {
  return state === HostState.HOST_STATE_READY || state === HostState.HOST_STATE_PENDING;
}

/** How a list names a host whose part may be old; undefined when it is current, or empty because the host has yet to join. */
export function findUnreachable(host: Host, now: Date): Unreachable | undefined {
  if (isCurrent(host.state)) return undefined;
  return {
    name: host.name,
    reason: host.reason,
    lastSeenTime: host.lastSeenTime,
    lastSeenAge: ageOf(host.lastSeenTime, now),
  };
}

/** "last seen 14 s ago" or "never seen". */
export function lastSeenText(lastSeen: Date | undefined, now: Date): string {
  if (lastSeen === undefined) return "never seen";
  return `last seen ${Math.round((now.getTime() - lastSeen.getTime()) / 1000)} s ago`;
}

/** The error of a host nobody registered. */
export function hostNotFound(name: string): ReturnType<typeof notFound> {
  return notFound(name, 'list the hosts with "zor get hosts", add one with "zor host add"');
}

/** The change that stores a host; `expect` is the revision it must still have, 0n that it is new. */
export function putHost({ id, host, changedBy }: Omit<HostRecord, "revision">, expect: bigint): Change {
  const value = encodeRow({ message: Host.encode(host).finish(), changedBy });
  return { type: "put", collection: "hosts", key: id, value, expect };
}

/** Reads a stored host. */
export function decodeHost({ key, value, revision }: StoredRecord): HostRecord {
  const { message, changedBy } = decodeRow(value);
  return { id: key, host: Host.decode(message), changedBy, revision };
}

function ageOf(time: Date | undefined, now: Date): Duration | undefined {
  return time === undefined ? undefined : toDuration(Math.max(0, now.getTime() - time.getTime()));
}

import { DirectPath, type EndStatus } from "../../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkCause, LinkPath, LinkRole, LinkState } from "../../../../proto/gen/zor/v1/link.js";

/** An end of a link, by its side. */
export type Side = "a" | "b";

/** What is remembered of who listens and who dials. */
export interface RoleMemory {
  /** Who listens, as last decided; undefined: not decided since the hub began. */
  readonly listener: Side | undefined;
  /** When that was decided. */
  readonly decidedMs: number;
  /** Changes that have not led to a direct connection. */
  readonly swaps: number;
  /** Since when changing roles looks better, and how sure that is. */
  readonly hint: { readonly kind: RoleHint; readonly sinceMs: number } | undefined;
}

/** "sure": the listener can reach the dialer, and not the other way round. "maybe": nobody knows, but what there is does not work. */
export type RoleHint = "sure" | "maybe";

/** What roles are chosen from. */
export interface RoleInput {
  /** The hosts that can be dialled. */
  readonly dialable: Readonly<Record<Side, boolean>>;
  /** The ends as last told. */
  readonly ends: Readonly<Record<Side, EndStatus | undefined>>;
  readonly memory: RoleMemory;
}

/** A hint must stand so long: ends need a moment to try, and networks to settle. */
const standMs = { sure: 10_000, maybe: 30_000 } as const;
/** A change breaks the connection there is, if any: at most so often, and less often when it does not help. */
const minPauseMs = 60_000;
const maxPauseMs = 15 * 60_000;

/** Before anything is known. */
export const noRoles: RoleMemory = { listener: undefined, decidedMs: 0, swaps: 0, hint: undefined };

/** Who listens: who was decided on, if that can be, else as the ends are, else a. */
export function listenerOf({ dialable, ends, memory }: RoleInput): Side {
  if (dialable.a !== dialable.b) return dialable.a ? "a" : "b";
  // Roles stay as they are: changing them would break a connection for nothing.
  return memory.listener ?? (ends.a?.end?.role === LinkRole.LINK_ROLE_DIALER ? "b" : "a");
}

/** Whether the roles should be changed now. */
export function shouldSwap(input: RoleInput, nowMs: number): boolean {
  const { hint, decidedMs, swaps } = input.memory;
  if (hint === undefined || !input.dialable.a || !input.dialable.b) return false;
  const pauseMs = swaps === 0 ? 0 : Math.min(maxPauseMs, minPauseMs * 2 ** (swaps - 1));
  return nowMs - hint.sinceMs >= standMs[hint.kind] && nowMs - decidedMs >= pauseMs;
}

/** The memory after a look at the ends. The same object when nothing changes. */
export function observeRoles(input: RoleInput, nowMs: number): RoleMemory {
  const { memory } = input;
  const kind = hintOf(input);
  const direct = Object.values(input.ends).some((end) => isUp(end) && end?.end?.path === LinkPath.LINK_PATH_DIRECT);
  const swaps = direct ? 0 : memory.swaps;
  const hint = kind === undefined ? undefined : memory.hint?.kind === kind ? memory.hint : { kind, sinceMs: nowMs };
  return swaps === memory.swaps && hint === memory.hint ? memory : { ...memory, swaps, hint };
}

/** The memory after the roles were changed. */
export function swapRoles(listener: Side, memory: RoleMemory, nowMs: number): RoleMemory {
  return { listener, decidedMs: nowMs, swaps: memory.swaps + 1, hint: undefined };
}

function hintOf(input: RoleInput): RoleHint | undefined {
  const listens = listenerOf(input);
  const listener = input.ends[listens];
  const dialer = input.ends[listens === "a" ? "b" : "a"];
  if (listener === undefined || dialer === undefined) return undefined;
  if (isUp(dialer) && dialer.end?.path === LinkPath.LINK_PATH_DIRECT) return undefined;
  const closed = dialer.direct === DirectPath.DIRECT_PATH_CLOSED;
  if (closed && listener.direct === DirectPath.DIRECT_PATH_OPEN) return "sure";
  const untested = listener.direct === DirectPath.DIRECT_PATH_UNSPECIFIED;
  const unreached = closed || unreachedCauses.has(dialer.end?.cause ?? LinkCause.LINK_CAUSE_UNSPECIFIED);
  return untested && unreached && !isUp(dialer) ? "maybe" : undefined;
}

const unreachedCauses: ReadonlySet<LinkCause> = new Set([
  LinkCause.LINK_CAUSE_REFUSED,
  LinkCause.LINK_CAUSE_TIMED_OUT,
  LinkCause.LINK_CAUSE_UNREACHABLE,
]);

const upStates: ReadonlySet<LinkState> = new Set([
  LinkState.LINK_STATE_PROBING,
  LinkState.LINK_STATE_ACTIVE,
  LinkState.LINK_STATE_DEGRADED,
]);

function isUp(end: EndStatus | undefined): boolean {
  return upStates.has(end?.end?.state ?? LinkState.LINK_STATE_UNSPECIFIED);
}

import { A2bState } from "../../proto/gen/zor/v1/a2b.js";
import { HostState } from "../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { LinkState } from "../../proto/gen/zor/v1/link.js";
import { OperationState } from "../../proto/gen/zor/v1/operation.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";

/** How something is drawn; a colour is only ever a second sign, next to a symbol or a word. */
export type Tone = "plain" | "strong" | "dim" | "good" | "busy" | "warn" | "bad" | "accent";

/** How a state is shown. */
export interface StateStyle {
  /** One cell wide. */
  readonly symbol: string;
  /** Lower-case word; what `state=` filters match. */
  readonly word: string;
  readonly tone: Tone;
}

const unknownState: StateStyle = { symbol: "?", word: "unknown", tone: "warn" };

/** Shown for whatever is known of a host that does not answer. */
export const unreachableStyle: StateStyle = { symbol: "◌", word: "unreachable", tone: "dim" };

const hostStates = new Map<HostState, StateStyle>([
  [HostState.HOST_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
  [HostState.HOST_STATE_CONNECTING, { symbol: "◐", word: "connecting", tone: "busy" }],
  [HostState.HOST_STATE_PENDING, { symbol: "○", word: "pending", tone: "dim" }],
  [HostState.HOST_STATE_UNREACHABLE, { symbol: "✗", word: "unreachable", tone: "bad" }],
  [HostState.HOST_STATE_INCOMPATIBLE, { symbol: "!", word: "incompatible", tone: "bad" }],
]);

const instanceStates = new Map<InstanceState, StateStyle>([
  [InstanceState.INSTANCE_STATE_RUNNING, { symbol: "●", word: "running", tone: "good" }],
  [InstanceState.INSTANCE_STATE_STARTING, { symbol: "◐", word: "starting", tone: "busy" }],
  [InstanceState.INSTANCE_STATE_STOPPING, { symbol: "◐", word: "stopping", tone: "busy" }],
  [InstanceState.INSTANCE_STATE_PAUSED, { symbol: "=", word: "paused", tone: "warn" }],
  [InstanceState.INSTANCE_STATE_STOPPED, { symbol: "○", word: "stopped", tone: "dim" }],
  [InstanceState.INSTANCE_STATE_FAILED, { symbol: "✗", word: "failed", tone: "bad" }],
  [InstanceState.INSTANCE_STATE_UNKNOWN, unknownState],
]);

const linkStates = new Map<LinkState, StateStyle>([
  [LinkState.LINK_STATE_ACTIVE, { symbol: "●", word: "active", tone: "good" }],
  [LinkState.LINK_STATE_PROBING, { symbol: "◐", word: "probing", tone: "busy" }],
  [LinkState.LINK_STATE_PENDING, { symbol: "○", word: "pending", tone: "dim" }],
  [LinkState.LINK_STATE_DEGRADED, { symbol: "!", word: "degraded", tone: "warn" }],
  [LinkState.LINK_STATE_DOWN, { symbol: "✗", word: "down", tone: "bad" }],
  [LinkState.LINK_STATE_DELETING, { symbol: "◌", word: "deleting", tone: "busy" }],
]);

const a2bStates = new Map<A2bState, StateStyle>([
  [A2bState.A2B_STATE_ACTIVE, { symbol: "●", word: "active", tone: "good" }],
  [A2bState.A2B_STATE_DOWN, { symbol: "✗", word: "down", tone: "bad" }],
]);

const operationStates = new Map<OperationState, StateStyle>([
  [OperationState.OPERATION_STATE_RUNNING, { symbol: "◐", word: "running", tone: "busy" }],
  [OperationState.OPERATION_STATE_SUCCEEDED, { symbol: "●", word: "succeeded", tone: "good" }],
  [OperationState.OPERATION_STATE_FAILED, { symbol: "✗", word: "failed", tone: "bad" }],
  [OperationState.OPERATION_STATE_CANCELLED, { symbol: "○", word: "cancelled", tone: "dim" }],
]);

const severities = new Map<EventSeverity, StateStyle>([
  [EventSeverity.EVENT_SEVERITY_INFO, { symbol: "·", word: "info", tone: "dim" }],
  [EventSeverity.EVENT_SEVERITY_WARNING, { symbol: "!", word: "warning", tone: "warn" }],
  [EventSeverity.EVENT_SEVERITY_ERROR, { symbol: "✗", word: "error", tone: "bad" }],
]);

/** How a host state is shown. */
export const hostStyle = (state: HostState): StateStyle => hostStates.get(state) ?? unknownState;
/** How an instance state is shown. */
export const instanceStyle = (state: InstanceState): StateStyle => instanceStates.get(state) ?? unknownState;
/** How a link state is shown. */
export const linkStyle = (state: LinkState): StateStyle => linkStates.get(state) ?? unknownState;
/** How the state of an in-line box is shown. */
export const a2bStyle = (state: A2bState): StateStyle => a2bStates.get(state) ?? unknownState;
/** How an operation state is shown. */
export const operationStyle = (state: OperationState): StateStyle => operationStates.get(state) ?? unknownState;
/** How an event severity is shown. */
export const severityStyle = (severity: EventSeverity): StateStyle => severities.get(severity) ?? unknownState;

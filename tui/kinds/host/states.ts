import { HostState, hostStateToJSON } from "../../../proto/gen/zor/v1/host.js";
import { stateStyles } from "../../kit/states.js";

/** How a host's state is shown. */
export const hostStyle = stateStyles(
  new Map([
    [HostState.HOST_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [HostState.HOST_STATE_CONNECTING, { symbol: "◐", word: "connecting", tone: "busy" }],
    [HostState.HOST_STATE_PENDING, { symbol: "○", word: "pending", tone: "dim" }],
    [HostState.HOST_STATE_UNREACHABLE, { symbol: "✗", word: "unreachable", tone: "bad" }],
    [HostState.HOST_STATE_INCOMPATIBLE, { symbol: "!", word: "incompatible", tone: "bad" }],
  ]),
);

/** "READY", "UNREACHABLE" and so on. */
export function hostStateName(state: HostState): string {
  return hostStateToJSON(state).replace("HOST_STATE_", "");
}

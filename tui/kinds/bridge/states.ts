import { BridgeState, BridgeType } from "../../../proto/gen/zor/v1/bridge.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a bridge is shown. */
export const bridgeStyle = stateStyles(
  new Map([
    [BridgeState.BRIDGE_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
    [BridgeState.BRIDGE_STATE_BROKEN, { symbol: "✗", word: "broken", tone: "bad" }],
  ]),
);

/** Of what kind the host's bridge is. */
export function typeText(type: BridgeType | undefined): string {
  if (type === BridgeType.BRIDGE_TYPE_LINUX) return "linux";
  return type === BridgeType.BRIDGE_TYPE_OVS ? "ovs" : "-";
}

import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import type { StateStyle } from "../../kit/states.js";

/** A lan has no state of its own: it works unless it says why not. */
export function lanStyle({ status }: Lan): StateStyle {
  return status?.reason ? { symbol: "✗", word: "failed", tone: "bad" } : { symbol: "●", word: "up", tone: "good" };
}

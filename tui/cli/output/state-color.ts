import { styleText } from "node:util";

const good = new Set(["RUNNING", "ACTIVE", "READY", "SUCCEEDED"]);
const bad = new Set(["FAILED", "DOWN", "UNREACHABLE", "INCOMPATIBLE"]);
const between = new Set([
  "STARTING",
  "STOPPING",
  "PENDING",
  "PROBING",
  "CONNECTING",
  "DEGRADED",
  "DELETING",
  "UNKNOWN",
]);

/** A state's text in its colour; what may have changed since it was seen is dim. */
export function colorState(state: string, stale: boolean, text: string): string {
  const style = { validateStream: false };
  if (stale) return styleText("dim", text, style);
  if (good.has(state)) return styleText("green", text, style);
  if (bad.has(state)) return styleText("red", text, style);
  return between.has(state) ? styleText("yellow", text, style) : text;
}

import { type A2b, A2bState } from "../../../proto/gen/zor/v1/a2b.js";
import { a2bStateName } from "./states.js";
import { shortName } from "../../kit/resource-name.js";
import { impairmentText } from "../../kit/impairment-text.js";

/** One line on how a box is, not escaped. */
export function a2bText(name: string, a2b: A2b | undefined): string {
  const { spec, status } = a2b ?? {};
  const head = `a2b ${shortName(name)} is ${status === undefined ? "UNKNOWN" : a2bStateName(status.state)}`;
  if (status?.state !== A2bState.A2B_STATE_ACTIVE) return `${head}: ${status?.reason ?? "nothing is known of it"}`;
  const way = (from: string, to: string, text: string): string => `${from}>${to} ${text === "-" ? "untouched" : text}`;
  const [a, b] = [spec?.lanA ?? "", spec?.lanB ?? ""];
  const ways = [way(a, b, impairmentText(status.currentAToB)), way(b, a, impairmentText(status.currentBToA))];
  return `${head} (${ways.join(", ")})`;
}

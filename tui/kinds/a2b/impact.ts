import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { a2bStyle } from "./states.js";

/** What deleting an in-line box of a host takes with it. */
export function deletingA2b({ spec, status }: A2b, host: string): string {
  return `${a2bStyle(status?.state).word}; ${spec?.lanA ?? ""} and ${spec?.lanB ?? ""} of ${host} part`;
}

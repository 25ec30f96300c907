import { agreeing, listed } from "../../../lib/words.js";
import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { shortName } from "../../kit/resource-name.js";

/** What deleting a lan takes with it. */
export const deletingLan = "nothing is plugged in";

/** The agent refuses to delete a lan with anything plugged in; better said before than after. Undefined: nothing is. */
export function whyKept({ status }: Lan): string | undefined {
  const endpoints = (status?.ports ?? []).map((port) => shortName(port.endpoint));
  if (endpoints.length === 0) return undefined;
  const it = agreeing(
    endpoints.length,
    "detach it or delete its link first",
    "detach them or delete their links first",
  );
  return `${endpoints.length} plugged in (${listed(endpoints, 3)}); ${it}`;
}

import type { Link } from "../../../proto/gen/zor/v1/link.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { hostsOfLink } from "./facts.js";
import { linkStyle } from "./states.js";

/** What deleting a link takes with it. */
export function deletingLink({ spec, status }: Link): string {
  return `${linkStyle(status?.state).word}; ${shortName(spec?.a ?? "")} and ${shortName(spec?.b ?? "")} part`;
}

/** A link does not outlive the host of one of its ends. */
export function losesEnd(row: Row<Link>, deleted: Row): string | undefined {
  if (deleted.kind !== "host" || !hostsOfLink(row.resource).includes(deleted.id)) return undefined;
  const { word } = linkStyle(row.resource.status?.state);
  return `link ${row.id} (${word}) loses its end on ${deleted.id} and is deleted`;
}

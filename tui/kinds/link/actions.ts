import type { Link } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import { deletingLink } from "./impact.js";

/** What can be asked of a link. */
export const linkActions: readonly Action<Link>[] = [
  {
    ...deletes,
    effect: (row) => deletingLink(row.resource),
    ...deletesBy(LinkServiceService.deleteLink),
  },
];

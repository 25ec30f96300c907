import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import { deletingA2b } from "./impact.js";

/** What can be asked of an in-line box. */
export const a2bActions: readonly Action<A2b>[] = [
  {
    ...deletes,
    effect: (row) => deletingA2b(row.resource, row.host),
    ...deletesBy(A2bServiceService.deleteA2B),
  },
];

import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import { deletingLan, whyKept } from "./impact.js";

/** What can be asked of a lan. */
export const lanActions: readonly Action<Lan>[] = [
  {
    ...deletes,
    whyNot: (row) => whyKept(row.resource),
    effect: () => deletingLan,
    ...deletesBy(LanServiceService.deleteLan),
  },
];

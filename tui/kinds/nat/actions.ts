import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
import { NatServiceService } from "../../../proto/gen/zor/v1/nat_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";
import { deletingNat } from "./impact.js";

/** What can be asked of a nat. */
export const natActions: readonly Action<Nat>[] = [
  {
    ...deletes,
    effect: (row) => deletingNat(row.resource),
    ...deletesBy(NatServiceService.deleteNat),
  },
];

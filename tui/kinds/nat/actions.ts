import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
import { NatServiceService } from "../../../proto/gen/zor/v1/nat_service.js";
import { type Action, deletes } from "../../kit/action.js";
import { deletingNat } from "./impact.js";

/** What can be asked of a nat. */
export const natActions: readonly Action<Nat>[] = [
  {
    ...deletes,
    effect: (row) => deletingNat(row.resource),
    run: async (_, { connection, request, options }) => {
      await connection.unary(NatServiceService.deleteNat, request, options);
      return undefined;
    },
  },
];

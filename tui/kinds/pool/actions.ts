import type { Pool } from "../../../proto/gen/zor/v1/pool.js";
import { PoolServiceService } from "../../../proto/gen/zor/v1/pool_service.js";
import { counted } from "../../../lib/words.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";

/** What can be asked of a pool. */
export const poolActions: readonly Action<Pool>[] = [
  {
    ...deletes,
    whyNot: ({ id, resource }) => {
      if (id === "default") return "it is always there";
      const volumes = resource.status?.volumeCount ?? 0;
      return volumes === 0 ? undefined : `it has ${counted(volumes, "volume")}`;
    },
    effect: () => "the host knows it no more; its storage stays as it is",
    ...deletesBy(PoolServiceService.deletePool),
  },
];

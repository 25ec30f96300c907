import type { GetLanResponse } from "../../../proto/gen/zor/v1/lan_service.js";
import { LanServiceService as service } from "../../../proto/gen/zor/v1/lan_service.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { DuplicateMacs } from "./duplicate-macs.js";

/** Lans live on hosts. The hub sees the whole of a broadcast domain, and says at each of its lans what no host can know alone. */
export const lanKind: HubKind = {
  kind: "lan",
  create: ({ inventory, topology, remarks }) => {
    let duplicates: DuplicateMacs | undefined;
    return {
      after: {
        [service.getLan.path]: ({ lan }: GetLanResponse): GetLanResponse => ({
          lan: lan === undefined ? undefined : inventory.remarked(lan),
        }),
      },
      // When all kinds are there: some of them join lans.
      load: async () => {
        duplicates = new DuplicateMacs({ inventory, topology, remarks });
      },
      close: async () => duplicates?.close(),
    };
  },
};

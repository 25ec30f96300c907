import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { type Action, deletes } from "../../kit/action.js";
import { deletingHost } from "./impact.js";

/** What can be asked of a host. */
export const hostActions: readonly Action<Host>[] = [
  {
    ...deletes,
    effect: deletingHost,
    phraseFor: (row) => row.id,
    // The confirmation has shown that the host has links: it is forgotten all the same.
    run: async (_, { connection, request, options }) => {
      await connection.unary(HostServiceService.deleteHost, { ...request, force: true }, options);
      return undefined;
    },
  },
];

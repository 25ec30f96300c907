import { decodeHost } from "../../fleet/host-record.js";
import { loadLastSeen, putLastSeen } from "../../fleet/last-seen.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { hostHandlers } from "./host-service.js";

/** Hosts: registered on the hub, and looked after in a session with the agent of each. */
export const hostKind: HubKind = {
  kind: "host",
  create: (parts) => {
    const { fleet, store } = parts;
    return {
      handlers: hostHandlers(parts),
      load: async () => {
        const lastSeen = await loadLastSeen(store);
        for (const stored of await store.list("hosts")) fleet.put(decodeHost(stored), lastSeen.get(stored.key));
      },
      keep: () => [putLastSeen(fleet.lastSeen())],
    };
  },
};

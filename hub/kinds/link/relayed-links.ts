import type { Fleet } from "../../fleet/fleet.js";
import type { RelayedLinks } from "../../relay/relayed-links.js";
import { placesOf } from "./link-record.js";
import type { Links } from "./links.js";
import { isLocal, isPlain } from "./reconcile/end-specs.js";

/** Which links the hub's relay carries. */
export function relayedLinks(links: Links, fleet: Fleet): RelayedLinks {
  const uidOf = (host: string): string => fleet.find(host)?.host.uid ?? "";
  return {
    uids: () => links.list().map(({ link }) => link.uid),
    admitted: (linkUid) => {
      const record = links.findByUid(linkUid);
      if (record === undefined || record.deleting) return [];
      const places = placesOf(record.link);
      // The hub carries ciphertext only.
      if (isLocal(places) || record.link.spec === undefined || isPlain(record.link.spec)) return [];
      return [places.a, places.b]
        .map(({ host }) => ({ host, hostUid: uidOf(host) }))
        .filter(({ hostUid }) => hostUid !== "");
    },
    hostUidsOf: (linkUid) => {
      const record = links.findByUid(linkUid);
      if (record === undefined) return [];
      const { a, b } = placesOf(record.link);
      return [a, b].map(({ host }) => uidOf(host)).filter((uid) => uid !== "");
    },
  };
}

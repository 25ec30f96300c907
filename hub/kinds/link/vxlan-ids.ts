import { resourceExhausted } from "../../../lib/errors.js";
import type { LinkRecord } from "./link-record.js";

/** Above what people and other tools usually take by hand. */
const first = 0x5a0000;
const last = 0xffffff;

/**
 * An identifier for a new vxlan link that no other link has: a host may have several such links, and its kernel tells them apart by
 * it. @throws {ZorError} RESOURCE_EXHAUSTED when there is none left.
 */
export function freeVxlanId(records: readonly Pick<LinkRecord, "vxlanId">[]): number {
  const used = new Set(records.map(({ vxlanId }) => vxlanId));
  for (let id = first; id <= last; id += 1) if (!used.has(id)) return id;
  throw resourceExhausted("VXLAN_IDS", "every vxlan identifier is in use; delete a vxlan link first");
}

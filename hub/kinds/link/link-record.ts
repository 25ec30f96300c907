import { type LinkEndPlace, parseLinkEnd } from "../../../lib/link-end.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import type { Change, StoredRecord } from "../../store/store.js";

/** A declared link: what must survive the hub. */
export interface LinkRecord {
  /** The link without its status. */
  readonly link: Link;
  /** Being deleted: kept until no host has an end of it any more. */
  readonly deleting: boolean;
  /** Identifier of the network of a vxlan link; 0 for others. */
  readonly vxlanId: number;
  /** Identity of the caller who declared it as it is. */
  readonly changedBy: string;
}

/** Both ends of a link. */
export function placesOf(link: Link): { readonly a: LinkEndPlace; readonly b: LinkEndPlace } {
  return { a: parseLinkEnd("link.spec.a", link.spec?.a ?? ""), b: parseLinkEnd("link.spec.b", link.spec?.b ?? "") };
}

/** The change that stores a link; `expect` 0n: it must be new. */
export function putLink({ link, deleting, vxlanId, changedBy }: LinkRecord, expect?: bigint): Change {
  const value = Buffer.from(
    JSON.stringify({ deleting, vxlanId, changedBy, link: Buffer.from(Link.encode(link).finish()).toString("base64") }),
  );
  return {
    type: "put",
    collection: "links",
    key: keyOf(link.name),
    value,
    ...(expect === undefined ? {} : { expect }),
  };
}

/** The change that forgets a link. */
export function removeLink(name: string): Change {
  return { type: "delete", collection: "links", key: keyOf(name) };
}

interface Row {
  readonly deleting: boolean;
  /** Base64. */
  readonly link: string;
  readonly vxlanId: number;
  readonly changedBy: string;
}

/** Reads a stored link. */
export function decodeLink({ value }: StoredRecord): LinkRecord {
  // Only this module writes these records.
  const { deleting, link, vxlanId, changedBy } = JSON.parse(Buffer.from(value).toString("utf8")) as Row;
  return { deleting, link: Link.decode(Buffer.from(link, "base64")), vxlanId, changedBy };
}

function keyOf(name: string): string {
  return name.slice("links/".length);
}

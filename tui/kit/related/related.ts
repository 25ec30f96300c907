import type { Fleet } from "../fleet/fleet.js";
import type { TuiKind } from "../kind.js";
import { ownerOf } from "../map/graph.js";
import type { Row } from "../row.js";

/** No more is looked for, or looked through, of one resource. */
const [mostRelated, mostValues] = [200, 5000];

/**
 * What a resource has to do with: what it names, what it is plugged into and what is plugged into it, what goes with it, and operations
 * on it; of each the kind is found in the resources themselves, so that it holds for every kind. In the order of the kinds.
 */
export function relatedTo(fleet: Fleet, kind: TuiKind, row: Row): readonly Row[] {
  const found = new Map<string, Row>();
  const add = (name: string): void => {
    const of = fleet.kinds.findByName(name);
    const other = of === undefined || of.log !== undefined ? undefined : fleet.find(of.kind, name);
    if (other !== undefined && other.name !== row.name && found.size < mostRelated) found.set(other.name, other);
  };
  if (row.host !== "") add(`hosts/${row.host}`);
  for (const name of namesIn(row.resource)) add(ownerOf(name));
  for (const { into } of kind.map?.endsOf(row.resource, row.name) ?? []) add(ownerOf(into));
  // What is on a host is its content, and counted elsewhere.
  if (kind.presence === undefined)
    for (const other of neighbours(fleet, row)) {
      if (isRelated(fleet, kind, row, other)) add(other.name);
    }
  const order = fleet.kinds.all.map((each) => each.kind);
  return [...found.values()].sort(
    (left, right) => order.indexOf(left.kind) - order.indexOf(right.kind) || (left.name < right.name ? -1 : 1),
  );
}

/** What is on the same host, and what belongs to the hub. */
function* neighbours(fleet: Fleet, row: Row): Iterable<Row> {
  for (const { kind, log } of fleet.kinds.all) {
    if (log !== undefined) continue;
    for (const host of new Set([row.host, ""])) {
      for (const name of fleet.table(kind).namesOn(host)) {
        const other = fleet.find(kind, name);
        if (other !== undefined && name !== row.name) yield other;
      }
    }
  }
}

function isRelated(fleet: Fleet, kind: TuiKind, row: Row, other: Row): boolean {
  const of = fleet.kinds.find(other.kind);
  if (of === undefined || of.presence !== undefined) return false;
  if (of.suffersFrom?.(other, row) !== undefined || kind.suffersFrom?.(row, other) !== undefined) return true;
  if ("target" in other.resource && other.resource.target === row.name) return true;
  return of.map?.endsOf(other.resource, other.name).some(({ into }) => ownerOf(into) === row.name) === true;
}

/** Texts in a resource that may be names of others. */
function namesIn(resource: object): readonly string[] {
  const names: string[] = [];
  const queue: unknown[] = [resource];
  for (let at = 0; at < queue.length && at < mostValues; at += 1) {
    const value = queue[at];
    if (typeof value === "string") {
      if (/^[a-z0-9]+\/\S+$/.test(value)) names.push(value);
    } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      queue.push(...Object.values(value));
    }
  }
  return names;
}

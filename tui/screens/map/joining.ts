import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { freeId, jsonOf } from "../form/form.js";
import type { NamedMessage } from "../../../lib/kinds/codecs.js";

/** A place that a cable can end at. */
export interface CableEnd {
  /** The resource that it is of. */
  readonly row: Row;
  /** Resource name that cables call it by: of an interface, else of the resource itself. */
  readonly name: string;
  /** "eth0"; empty where the resource has no more than one. */
  readonly word: string;
}

/** What a cable between two ends is. */
export type Joining =
  | {
      readonly type: "make";
      readonly kind: "wire" | "link" | "a2b";
      readonly filled: { readonly host?: string; readonly id: string; readonly json: MessageJson };
    }
  /** One end is plugged into the other, a lan. */
  | { readonly type: "plug"; readonly row: Row; readonly json: MessageJson }
  | { readonly type: "none"; readonly why: string };

/** Kinds that wires and links can end at, besides lans. */
const wired: readonly string[] = ["instance", "tap", "phy"];

/** Whether a cable can end at a resource of that kind. */
export function canEnd(fleet: Fleet, kind: string): boolean {
  const shape = fleet.kinds.find(kind)?.map?.shape;
  return shape === "lan" || shape === "thing";
}

/** The places of a resource that nothing is plugged into yet; of a lan, which has as many as it takes, the lan. */
export function freeEnds(fleet: Fleet, row: Row): readonly CableEnd[] {
  const map = fleet.kinds.find(row.kind)?.map;
  if (map === undefined || map.shape === "cable") return [];
  if (map.shape === "lan") return [{ row, name: row.name, word: "" }];
  const taken = takenEnds(fleet);
  return map
    .endsOf(row.resource, row.name)
    .filter(({ name, into }) => into === "" && !taken.has(name))
    .map(({ name, word }) => ({ row, name, word }));
}

/** How people write an end. */
export function endText({ row, word }: CableEnd): string {
  return word === "" ? shortName(row.name) : `${shortName(row.name)}:${word}`;
}

/** What joins two ends, as far as the kinds of both allow it. */
export function joiningOf(fleet: Fleet, a: CableEnd, b: CableEnd): Joining {
  if (a.name === b.name) return { type: "none", why: "a cable has two ends; go to another thing and draw it there" };
  const lans = [a, b].filter(({ row }) => row.kind === "lan").length;
  const isFar = hostOf(a.name) !== hostOf(b.name);
  const stranger = [a, b].find(({ row }) => row.kind !== "lan" && !wired.includes(row.kind));
  if (!isFar && lans === 1) return plugged(a.row.kind === "lan" ? b : a, a.row.kind === "lan" ? a : b);
  if (stranger !== undefined) {
    const { kind } = stranger.row;
    return { type: "none", why: `a ${kind} is plugged into a lan of its own host, and into nothing else` };
  }
  const kind = isFar ? "link" : lans === 2 ? "a2b" : "wire";
  const id = cableId(fleet, kind, a, b);
  if (kind === "link") return { type: "make", kind, filled: { id, json: { spec: { a: a.name, b: b.name } } } };
  const host = hostOf(a.name) ?? "";
  const spec = kind === "a2b" ? { lanA: idOf(a.name), lanB: idOf(b.name) } : { a: a.name, b: b.name };
  return { type: "make", kind, filled: { host, id, json: { spec } } };
}

function plugged({ row, name, word }: CableEnd, { row: { id: lan } }: CableEnd): Joining {
  // Rows of the kinds of the API hold messages of theirs.
  const json = jsonOf(kindNamed(row.kind), row.resource as NamedMessage);
  const spec = asMessage(json["spec"]);
  if (word === "") return { type: "plug", row, json: { ...json, spec: { ...spec, lan } } };
  const nics = Array.isArray(spec["nics"]) ? spec["nics"].map(asMessage) : [];
  const at = nics.findIndex((nic, index) => (nic["name"] || `eth${index}`) === idOf(name));
  const changed = nics.map((nic, index) => (index === at ? { ...nic, lan } : nic));
  return { type: "plug", row, json: { ...json, spec: { ...spec, nics: changed } } };
}

/** "vm1-vm2", or the like that no cable has yet. */
function cableId(fleet: Fleet, kind: string, a: CableEnd, b: CableEnd): string {
  const names = [...fleet.rowsOf(kind)].map(({ name }) => name);
  return freeId(`${a.row.id}-${b.row.id}`.slice(0, 40), names);
}

/** Places that cables lead to. */
function takenEnds(fleet: Fleet): ReadonlySet<string> {
  const taken = new Set<string>();
  for (const { kind, map } of fleet.kinds.all) {
    if (map?.shape !== "cable") continue;
    for (const { resource, name } of fleet.rowsOf(kind)) {
      for (const { into } of map.endsOf(resource, name)) taken.add(into);
    }
  }
  return taken;
}

function asMessage(value: unknown): MessageJson {
  // What is no list and no scalar of the API's JSON is a message.
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as MessageJson) : {};
}

import { idOf } from "../../kit/resource-name.js";
import type { FormNode, ValueNode } from "./nodes.js";

/** The field that a path of the API names, or the nearest that the form has around it: "spec.nics[0].mac". */
export function nodeAt(nodes: readonly FormNode[], path: string): FormNode | undefined {
  const segments = path.replace(/\[(\d+)\]/g, ".$1").split(".");
  let found: FormNode | undefined;
  let among = nodes;
  for (const [at, segment] of segments.entries()) {
    // Keys of labels hold dots.
    const rest = segments.slice(at).join(".");
    const next = child(among, segment, found) ?? entryOf(found, rest);
    if (next === undefined) return found;
    found = next;
    among = next.type === "group" ? next.children : next.type === "list" ? next.items : [];
  }
  return found;
}

function child(among: readonly FormNode[], segment: string, owner: FormNode | undefined): FormNode | undefined {
  if (owner?.type === "list" && /^\d+$/.test(segment)) return among[Number(segment)];
  for (const node of among) {
    if (node.schema.name === segment && owner?.type !== "list") return node;
    // Members of a choice are named without it.
    if (node.type === "choice" && node.members.some(({ name }) => name === segment)) {
      return node.chosen === segment ? (node.node ?? node) : node;
    }
  }
  return undefined;
}

function entryOf(owner: FormNode | undefined, key: string): FormNode | undefined {
  if (owner?.type !== "list" || !owner.isMap) return undefined;
  return owner.items.find((item) => item.type === "value" && item.text.startsWith(`${key}=`));
}

/** The value that names a resource of which the server speaks; `own` is where the form's own name stands. */
export function whereMeant(
  values: Iterable<ValueNode>,
  resource: string | undefined,
  own: ValueNode | undefined,
): ValueNode | undefined {
  if (resource === undefined || resource === "") return undefined;
  if (own !== undefined) return own;
  for (const value of values) if (value.text === resource || value.text === idOf(resource)) return value;
  return undefined;
}

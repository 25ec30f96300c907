import { findKind } from "../../../lib/kinds/kinds.js";
import type { FormPlace } from "../../kit/form-hints.js";
import type { KindTable } from "../../kit/kind-table.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { isImageFile, namedBy, wordsOf } from "./comments.js";
import type { Form } from "./form.js";
import type { ValueNode } from "./nodes.js";

/** No more are offered. */
const mostOffered = 200;

/** What a text of a form may be: what its kind says, else what the API says that it names, as far as the fleet is known. */
export function suggestionsFor(
  form: Form,
  node: ValueNode,
  place: FormPlace & { readonly kinds: KindTable },
): readonly string[] {
  if (node === form.host) {
    const { presence } = place.kinds;
    return presence === undefined ? [] : idsOf(place.fleet.rowsOf(presence.kind));
  }
  const { help, path } = node.schema;
  const own = form.aim.hints.suggest?.(path, place);
  if (own !== undefined) return own;
  if (isImageFile(help)) {
    // The image that every host has of itself.
    return [...(help.includes('"micro"') ? ["micro"] : []), ...idsOn(place, "image")];
  }
  const named = namedBy(help);
  if (named === undefined) return wordsOf(help);
  return named.kinds.flatMap((word) => namesOf(word, named.isFull, place)).slice(0, mostOffered);
}

function namesOf(word: string, isFull: boolean, place: FormPlace & { readonly kinds: KindTable }): readonly string[] {
  if (word === "nics") return nicNames(place);
  const kind = findKind(word === "container" ? "instance" : word)?.singular;
  if (kind === undefined) return [];
  if (!isFull) return idsOn(place, kind);
  const names = [...place.fleet.rowsOf(kind)].filter((row) => isNear(row, place)).map(({ name }) => name);
  return names.sort();
}

/** Interfaces of instances, by their full names. */
function nicNames(place: FormPlace & { readonly kinds: KindTable }): readonly string[] {
  const { map, kind } = place.kinds.get("instance");
  const rows = [...place.fleet.rowsOf(kind)].filter((row) => isNear(row, place)).slice(0, mostOffered);
  return rows.flatMap(({ resource, name }) => (map?.endsOf(resource, name) ?? []).map((end) => end.name)).sort();
}

function isNear({ host }: Row, place: FormPlace): boolean {
  return place.host === "" || host === "" || host === place.host;
}

function idsOn(place: FormPlace, kind: string): readonly string[] {
  return idsOf([...place.fleet.rowsOf(kind)].filter((row) => row.host === place.host));
}

function idsOf(rows: Iterable<Row>): readonly string[] {
  return [...rows]
    .map(({ name }) => idOf(name))
    .sort()
    .slice(0, mostOffered);
}

import { findKindByPlural } from "./kinds/kinds.js";
import { counted } from "./words.js";

/** What resources of these names are, one and many of them; the general word where they are of several kinds, or of none that is known. */
export function nounOf(names: Iterable<string>): { readonly one: string; readonly many: string } {
  const collections = new Set<string>();
  for (const name of names) collections.add(name.split("/").at(-2) ?? "");
  const [only = ""] = collections;
  const kind = collections.size === 1 ? findKindByPlural(only) : undefined;
  return kind === undefined ? { one: "resource", many: "resources" } : { one: kind.singular, many: kind.plural };
}

/** "312 instances": how many of what resources of these names are. @param count of some of them; default: all. */
export function countedNames(names: readonly string[], count = names.length): string {
  const { one, many } = nounOf(names);
  return counted(count, one, many);
}

import { stringify } from "yaml";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Row } from "../row.js";
import { type DescribeLine, text } from "./line.js";

/** A resource as YAML of its proto3 JSON. */
export function yamlOf(row: Row): readonly DescribeLine[] {
  return yamlText(row)
    .trimEnd()
    .split("\n")
    .map((line) => text(line));
}

/** The same as one text. */
export function yamlText({ kind, resource }: Row): string {
  // Rows of the kinds of the API hold messages of theirs.
  return stringify(codecOf(kind).toJSON(resource as NamedMessage));
}

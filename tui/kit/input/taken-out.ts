import type { CommandPart } from "../form-hints.js";
import { scalarText } from "./scalar-text.js";
import type { MessageJson } from "./fields.js";

/** Fields of the spec that the command line says as words after the name, in this order. @param wordOf how a value is written. */
export function takenOut(
  resource: MessageJson,
  fields: readonly string[],
  wordOf: (value: string) => string = (value) => value,
): CommandPart {
  const { spec } = resource;
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) return { words: [], flags: [], rest: resource };
  const others = Object.fromEntries(Object.entries(spec).filter(([key]) => !fields.includes(key)));
  const words = fields.map((field) => wordOf(scalarText(spec[field])));
  return { words, flags: [], rest: { ...resource, spec: others } };
}

import { escapeText } from "../../kit/text/escape.js";
import { jsonText } from "./structured.js";

/** A member of a JSON object by its name there, or in snake_case; undefined: there is none. */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, name)) return Reflect.get(value, name);
  const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(value, camel) ? Reflect.get(value, camel) : undefined;
}

/** A JSON value as people write it into a text: strings as they are, but safe for a terminal; objects and lists as JSON. */
export function plainText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return escapeText(value);
  return typeof value === "object" ? jsonText(value, false) : String(value);
}

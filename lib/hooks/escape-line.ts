import { quote } from "../names.js";

/** What somebody else said, on one line and harmless. */
export function escapeLine(text: string): string {
  return quote(text.trim(), { maxCharacters: 500 }).slice(1, -1);
}

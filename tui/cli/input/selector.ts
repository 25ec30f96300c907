import { invalidArgument } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { narrowed } from "./narrowed.js";

const term = /^\s*(?:!\s*(\S+)|(\S+?)\s*(==|!=|=)\s*(\S*)|(\S+)\s+(in|notin)\s*\(([^()]*)\)|([^\s!=]+))\s*$/;

/**
 * A filter that means what a selector of labels says, and another filter: "site=paris,role!=db,tier in (a,b),owner,!old". As in kubectl
 * != and notin also mean what has no such label. What the filter says of order and number stays at the end.
 * @throws {ZorError} INVALID_ARGUMENT for a part that is none, QueryError for a filter that is no query.
 */
export function selectedBy(selector: string | undefined, filter = ""): string {
  if (selector === undefined || selector.trim() === "") return filter;
  // Commas between parentheses part values.
  const parts = selector.split(/,(?![^(]*\))/).map(filterOf);
  return narrowed(filter, parts);
}

function filterOf(part: string): string {
  const [whole, absent, key, operator = "", value = "", listKey, word, values = "", present] = term.exec(part) ?? [];
  if (whole === undefined) throw bad(part);
  if (absent !== undefined) return `NOT labels : ${keyOf(absent, part)}`;
  if (present !== undefined) return `labels : ${keyOf(present, part)}`;
  if (key !== undefined) {
    const equal = `labels.${keyOf(key, part)} = ${JSON.stringify(value)}`;
    return operator === "!=" ? `NOT ${equal}` : equal;
  }
  const each = values.split(",").map((one) => `labels.${keyOf(listKey ?? "", part)} = ${JSON.stringify(one.trim())}`);
  return `${word === "notin" ? "NOT " : ""}(${each.join(" OR ")})`;
}

function keyOf(text: string, part: string): string {
  if (text.split("/").every(isId)) return JSON.stringify(text);
  throw bad(part);
}

function bad(part: string): Error {
  const forms = "write KEY=VALUE, KEY!=VALUE, KEY in (A,B), KEY notin (A,B), KEY or !KEY, with commas between them";
  return invalidArgument("--selector", `${quote(part.trim())} says nothing of labels; ${forms}`);
}

import { invalidArgument } from "../../lib/errors.js";
import { checkMeasuredName } from "../../lib/figures/check-selection.js";
import { findKind, kindNamed, livesOnHosts } from "../../lib/kinds/kinds.js";
import { parseId, quote } from "../../lib/names.js";

/** The full name of something that is measured: "alpha" (a host), "alpha/vm1", "lan:alpha/lan1", "link:demo", or a full name. */
export function measuredName(field: string, text: string): string {
  const name = toName(field, text);
  checkMeasuredName(field, name);
  return name;
}

function toName(field: string, text: string): string {
  const colon = text.indexOf(":");
  const parts = text.slice(colon + 1).split("/");
  const [first = "", second = ""] = parts;
  if (colon > 0) {
    const kind = findKind(text.slice(0, colon));
    if (kind === undefined)
      throw invalidArgument(field, `${quote(text)}: there is no kind ${quote(text.slice(0, colon))}`);
    if (!livesOnHosts(kind)) return `${kind.plural}/${parseId(field, first)}`;
    return `hosts/${parseId(field, first)}/${kind.plural}/${parseId(field, second)}`;
  }
  if (parts.length === 1) return `hosts/${parseId(field, first)}`;
  if (parts.length > 2 || findKind(first)?.plural === first) return text;
  return `hosts/${parseId(field, first)}/${kindNamed("instance").plural}/${parseId(field, second)}`;
}

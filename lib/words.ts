/** Names as people list them: "a", "a and b", "a, b and c"; past `most` of them "a, b and 4 more". `last` may be "or". */
export function listed(names: readonly string[], most = Number.POSITIVE_INFINITY, last: "and" | "or" = "and"): string {
  const rest = names.length - most;
  // One more takes no more room than its name.
  const parts = rest > 1 ? [...names.slice(0, most), `${rest} more`] : names;
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} ${last} ${parts.at(-1) ?? ""}`;
}

/** A number with its noun: "1 host", "2 hosts", "0 boxes" (with the plural given). */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${agreeing(count, one, many)}`;
}

/** The form that agrees with a number: agreeing(2, "does", "do"). */
export function agreeing(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}

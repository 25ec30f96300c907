import { splitQuery } from "../../../lib/query/parse.js";

/**
 * A filter that asks for what another one does, and for conditions besides. What the other says of order and number stays at the end.
 * @param conditions each complete in itself. @throws {QueryError} for a filter that is no query.
 */
export function narrowed(filter: string, conditions: readonly string[]): string {
  const { terms, tail } = splitQuery(filter);
  const all = [...(terms === "" ? [] : [`(${terms})`]), ...conditions].join(" AND ");
  return [all, tail].filter((part) => part !== "").join(" ");
}

import { ZorError } from "../../../lib/errors.js";
import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { parsePath } from "../../../lib/query/path.js";
import { findQueryField } from "../../../lib/query/query-field.js";
import type { ViewValue } from "../../../proto/gen/zor/v1/view_service.js";
import { formatBits, formatBytes, formatMs } from "../../kit/format.js";

/** What the numbers of a column are, with some kind of resource. */
type Amount = "bytes" | "bits" | "time" | "percent" | "moment" | "number";

const texts: Readonly<Record<Amount, (amount: number) => string>> = {
  bytes: (amount) => formatBytes(Math.round(amount)),
  bits: formatBits,
  time: formatMs,
  percent: (amount) => `${rounded(amount, 10)}%`,
  moment: (amount) => new Date(amount).toISOString(),
  number: (amount) => `${rounded(amount, 1000)}`,
};

/** Makes texts of the values of a view's columns, each in the unit that its field counts in. @param columns fields, as queries name them. */
export function viewTexts(
  columns: readonly string[],
): (kind: string, value: ViewValue | undefined, at: number) => string {
  const known = columns.map(() => new Map<string, Amount>());
  return (kind, value, at) => {
    const found = value?.value;
    if (found === undefined) return "-";
    if (found.$case === "text") return found.value;
    let amount = known[at]?.get(kind);
    if (amount === undefined) {
      amount = amountOf(kind, columns[at] ?? "");
      known[at]?.set(kind, amount);
    }
    return texts[amount](found.value);
  };
}

function amountOf(kind: string, column: string): Amount {
  const type = findKindBySingular(kind)?.type;
  if (type === undefined) return "number";
  try {
    const { value, unit } = findQueryField("columns", type, parsePath("columns", column));
    if (value.type === "timestamp") return "moment";
    return value.type === "duration" ? "time" : (unit?.dimension ?? "number");
  } catch (error) {
    // A value of a kind that this program knows less of than the hub.
    if (error instanceof ZorError) return "number";
    throw error;
  }
}

function rounded(amount: number, parts: number): number {
  return Math.round(amount * parts) / parts;
}

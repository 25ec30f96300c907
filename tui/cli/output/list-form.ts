import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { askedFor, nearest } from "../../../lib/nearest.js";
import { listed } from "../../../lib/words.js";
import type { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { unknownKey } from "../../kit/table/sort-key.js";
import type { OutputFormat } from "./forms.js";
import type { Column } from "./table.js";

/** How a list is to be printed: what the options of lists say, in the form of commander. */
export interface ListForm {
  readonly output: OutputFormat;
  /** --columns: only these, in this order. */
  readonly columns?: readonly string[];
  /** --no-headers: false. */
  readonly headers?: boolean;
  /** --sort-by. */
  readonly sortBy?: string;
}

/** Makes the column of a name that no column has, such as a path of fields. @throws {ZorError} for one that it does not know either. */
export type ColumnMaker<T> = (name: string) => Column<T>;

/** The columns that a form shows of those there are. @throws {ZorError} INVALID_ARGUMENT for one that there is not. */
export function shownColumns<T>(
  all: readonly Column<T>[],
  form: Pick<ListForm, "output" | "columns">,
  make?: ColumnMaker<T>,
): readonly Column<T>[] {
  const { output, columns } = form;
  if (columns === undefined) {
    const isWide = output === "wide" || output === "csv";
    // Whoever reads CSV gets what is measured when it is asked for by name.
    const isSpread = (figure: unknown): boolean => isWide && !(output === "csv" && figure !== undefined);
    return all.filter(({ shown = "always", figure }) => shown === "always" || (shown === "wide" && isSpread(figure)));
  }
  if (!["table", "wide", "csv", "text"].includes(output))
    throw invalidArgument(
      "--columns",
      `goes with the forms table, wide and csv; ${output.replace(/=.*/s, "")} has no columns`,
    );
  return columns.map((name) => columnNamed("--columns", all, name, make));
}

/** What has to be measured for a list in that form: for the columns that it shows, and for those that it is sorted by. */
export function figuresAsked<T>(
  all: readonly Column<T>[],
  form: Pick<ListForm, "output" | "columns" | "sortBy">,
  make?: ColumnMaker<T>,
): readonly Figure[] {
  const hasColumns = ["table", "wide", "csv", "text"].includes(form.output);
  const shown = hasColumns ? shownColumns(all, form, make) : [];
  const sorted = parseSortBy(form.sortBy ?? "").flatMap(({ name }) =>
    name === "" ? [] : columnNamed("--sort-by", all, name, make),
  );
  return [...new Set([...shown, ...sorted].flatMap(({ figure }) => figure ?? []))];
}

/** Sorts rows by "COLUMN", "FIELD", "-COLUMN", "COLUMN desc" or several with commas; rows that are equal stay in their order. */
export function sortedRows<T>(
  all: readonly Column<T>[],
  rows: readonly T[],
  sortBy: string | undefined,
  make?: ColumnMaker<T>,
): readonly T[] {
  if (sortBy === undefined) return rows;
  const wanted = parseSortBy(sortBy).map(({ name, isDescending = false }) => ({
    column: columnNamed("--sort-by", all, name, make),
    sign: isDescending ? -1 : 1,
  }));
  // What compares texts takes milliseconds to make: only for those who sort.
  const collator = new Intl.Collator("en", { numeric: true });
  const keysOf = (row: T) => wanted.map(({ column }) => column.sortKey?.(row) ?? column.value(row));
  const keyed = rows.map((row) => ({ row, keys: keysOf(row) }));
  keyed.sort((one, other) => {
    for (const [at, { sign }] of wanted.entries()) {
      const order = compareDirected(collator, [one.keys[at] ?? "", other.keys[at] ?? ""], sign);
      if (order !== 0) return order;
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}

/** One of the columns of --sort-by. */
export interface SortWord {
  readonly name: string;
  /** Undefined: nothing is said of it. */
  readonly isDescending?: boolean;
}

/** Reads --sort-by: "COLUMN", "-COLUMN", "COLUMN desc" or several with commas. */
export function parseSortBy(text: string): readonly SortWord[] {
  return splitFields(text).map((each) => {
    const [, minus = "", name = "", word = ""] = /^(-?)(.*?)(?:\s+(asc|desc))?$/i.exec(each) ?? [];
    if (minus === "" && word === "") return { name };
    return { name, isDescending: (minus === "-") !== (word.toLowerCase() === "desc") };
  });
}

/** What commas part, those in quotes aside: `labels."a,b" desc, NAME`. */
function splitFields(text: string): readonly string[] {
  return text.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((each) => each.trim());
}

/** The words by which a column can be asked for: its title, and what the terminal interface calls it. */
function wordsOf({ id, title }: Pick<Column<never>, "id" | "title">): readonly string[] {
  return [title, ...(id === undefined ? [] : [id])];
}

function columnNamed<T>(option: string, all: readonly Column<T>[], name: string, make?: ColumnMaker<T>): Column<T> {
  const wanted = plain(name);
  const found = all.find((column) => wordsOf(column).some((word) => plain(word) === wanted));
  if (found !== undefined) return found;
  const titles = all.map(({ title }) => title);
  const near = nearest(name.toUpperCase(), titles);
  const known = `${askedFor(near)}There are ${listed(titles)}`;
  if (make === undefined) throw invalidArgument(option, `${quote(name)} is no column${known}`);
  const unknown = (): Error =>
    invalidArgument(option, `${quote(name)} is no column${known}, and fields such as labels.site`);
  // Paths of fields are of small letters; what is not one was meant as a title.
  if (!/^[a-z][\w.]*/.test(name)) throw unknown();
  try {
    return make(name);
  } catch (error) {
    throw near === undefined ? error : unknown();
  }
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[\s_-]/g, "");
}

/** What is not measured comes last in either direction. */
function compareDirected(
  collator: Intl.Collator,
  [one, other]: readonly [string | number, string | number],
  sign: number,
): number {
  if (one === unknownKey || other === unknownKey) return one === other ? 0 : one === unknownKey ? 1 : -1;
  return sign * compareKeys(collator, one, other);
}

/** Numbers before texts; numbers in texts by their value, so that vm2 comes before vm10. */
function compareKeys(collator: Intl.Collator, one: string | number, other: string | number): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return collator.compare(String(one), String(other));
}

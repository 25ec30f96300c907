import { invalidArgument, type ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { askedFor, nearest } from "../../../lib/nearest.js";
import { listed } from "../../../lib/words.js";
import { type TopKey, type TopOrder, topViews } from "../../kit/top/views.js";
import { parseSortBy, type SortWord } from "../output/list-form.js";

/** What the command line says of the order. */
export interface TopOrderOptions {
  readonly sortBy?: string;
  readonly sort?: string;
  readonly reverse?: boolean;
  readonly filter: string;
}

/** How the rows of a view are chosen and ordered. @throws {ZorError} INVALID_ARGUMENT for a column that there is not. */
export function readTopOrder(
  word: string,
  { sortBy, sort = sortBy, reverse = false, filter }: TopOrderOptions,
): TopOrder {
  const view = topViews.find((each) => each.word === word);
  const given = sort === undefined ? [{ name: view?.sort ?? "NAME" }] : parseSortBy(sort);
  const titles = ["NAME", ...(view?.columns ?? []).map(({ title }) => title)];
  const order = given.map(({ name, isDescending }: SortWord): TopKey => {
    const title = titles.find((each) => shortTitle(each) === knownTitle(name));
    if (title === undefined) throw noColumn(word, name, titles);
    // Of figures the most comes first unless something else is said, of names the first.
    const isUsual = isDescending === undefined || isDescending === (title !== "NAME");
    return { title, isReversed: isUsual === reverse };
  });
  return { order, filter };
}

/** What a column was called before it was called as queries call it. */
function knownTitle(name: string): string {
  const title = shortTitle(name);
  return title === "LIMIT" ? "CPU" : title;
}

/** "CPU%" and "IN/s" may be written "cpu" and "in". */
function shortTitle(title: string): string {
  return title.toUpperCase().replace(/(%|\/S)$/, "");
}

function noColumn(word: string, name: string, titles: readonly string[]): ZorError {
  const near = nearest(name.toUpperCase(), titles);
  return invalidArgument(
    "--sort-by",
    `${quote(name)} is no column of ${word}${askedFor(near)}There are ${listed(titles, titles.length)}`,
  );
}

import { invalidArgument } from "../../../lib/errors.js";
import { findKind } from "../../../lib/kinds/kinds.js";
import { findPackedKind, unpack } from "../../../lib/kinds/resource.js";
import { quote } from "../../../lib/names.js";
import { parseQuery } from "../../../lib/query/parse.js";
import { pathText } from "../../../lib/query/path.js";
import { stateReader } from "../../../lib/query/query-field.js";
import type { QueryTree } from "../../../lib/query/tree.js";
import {
  type ViewRow,
  ViewServiceService,
  WatchViewRequest,
  WatchViewResponse,
} from "../../../proto/gen/zor/v1/view_service.js";
import { type ConnectionState, resumed } from "../../client/watch.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { asList, LanguageArgument, LanguageOption, type Registrar, withExamples, withNotes } from "../command.js";
import { firstView } from "../first-view.js";
import { lossReporter } from "../loss-reporter.js";
import { isStructured } from "../output/forms.js";
import type { ListForm } from "../output/list-form.js";
import { pointingOut } from "../output/point-out.js";
import { printList, RowPrinter } from "../output/print-list.js";
import { responseJson } from "../output/proto-json.js";
import type { Column } from "../output/table.js";
import { viewTexts } from "../output/view-value.js";
import type { Session } from "../session.js";

interface QueryOptions extends ListForm {
  readonly kinds?: readonly string[];
  readonly watch?: boolean;
}

/** Rows of a window. */
const pageRows = 1000;
const ownColumns = new Set(["name", "kind", "host", "state", "text"]);

/** `zor query 'QUERY'`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("query")
    .description("Find resources of all kinds, or of some, by a query; the hub looks for them, and sorts.")
    .addArgument(new LanguageArgument("<query...>", "which: docs/queries.md has the language", "query"))
    .addOption(
      new LanguageOption("--kinds <kinds>", "only of these kinds: instances,hosts", "kinds").argParser((text: string) =>
        text.split(",").map((word) => word.trim()),
      ),
    )
    .option("-w, --watch", "stay and show every row that comes or changes; survives a restart of the hub")
    .action(async (words: string[], options: QueryOptions) => {
      const [session, query] = [open(command), words.join(" ")];
      await pointingOut(session, query, async () => {
        if (options.watch === true) await watchRows(session, query, options);
        else await showRows(session, query, options);
      });
    });
  asList(command);
  withNotes(
    command,
    `What the query compares and sorts by has columns of its own. A word alone is looked for in all texts of a resource. With
--watch a line is printed for each row that comes or changes, as JSON one WatchViewResponse after the other.`,
  );
  withExamples(
    command,
    "zor query 'kind=kvm and state!=running and mem>4GiB sort by mem desc'",
    "zor query 'host~\"rack2-.*\" and cpu>80% sort by cpu desc limit 20'",
    "zor query --kinds links 'rtt>20ms or loss>1%'",
    "zor query 'label.site=paris age<1h' -o name",
    "zor query 'state in (failed, unknown)' --watch",
  );
}

/** The request, and the names of its columns. @throws {ZorError} for a query that is none. */
function requestOf(query: string, { kinds = [], columns = [] }: QueryOptions): WatchViewRequest {
  const { tree, sort } = parseQuery(query, { where: "query" });
  const fields = [...fieldsOf(tree), ...sort.map(({ path }) => pathText(path))];
  const asked = columns.filter((column) => /^[a-z]/.test(column));
  const all = [...new Set([...asked, ...fields])].filter((field) => !ownColumns.has(field));
  return WatchViewRequest.fromPartial({
    kinds: kinds.map(singular),
    query,
    columns: all.slice(0, 32),
    limit: pageRows,
  });
}

function fieldsOf(tree: QueryTree): string[] {
  switch (tree.type) {
    case "all":
    case "any":
      return tree.terms.flatMap(fieldsOf);
    case "not":
      return fieldsOf(tree.term);
    case "comparison":
      return [pathText(tree.path)];
    default:
      return [];
  }
}

function singular(word: string): string {
  const kind = findKind(word);
  if (kind === undefined) throw invalidArgument("--kinds", `${quote(word)} is no kind; zor get --help lists them`);
  return kind.singular;
}

/** All rows, a window after the other: each as it is when it is read. */
async function showRows(session: Session, query: string, options: QueryOptions): Promise<void> {
  const request = requestOf(query, options);
  const rows: ViewRow[] = [];
  let whole = WatchViewResponse.fromPartial({});
  for (;;) {
    const response = await firstOf(session, { ...request, offset: rows.length });
    rows.push(...response.rows.map((row) => ({ ...row, index: row.index + response.offset })));
    whole = response;
    if (response.length === 0 || rows.length >= (response.totals?.matched ?? 0)) break;
  }
  const columns = columnsOf(request.columns);
  await printList(session, options, {
    ...{ columns, rows, nameOf: ({ name }: ViewRow) => name, none: "nothing is what the query asks for" },
    json: (shown) =>
      responseJson(ViewServiceService.watchView, { ...whole, offset: 0, length: shown.length, rows: [...shown] }),
  });
}

async function firstOf(session: Session, request: WatchViewRequest): Promise<WatchViewResponse> {
  return await firstView(await session.connect(), request, session.readOptions().signal);
}

/** A lost hub is told on stderr; of what it shows when it is back only what is different is printed, and what has left the window meanwhile. */
async function watchRows(session: Session, query: string, options: QueryOptions): Promise<void> {
  const request = requestOf(query, options);
  // Fails at once, with the reason, where the watch would try for ever.
  await firstOf(session, { ...request, limit: 1 });
  const connection = await session.connect();
  const { signal } = session.io;
  const known = new Map<string, ViewRow>();
  const printer = new RowPrinter(session, columnsOf(request.columns), options);
  let isBack = false;
  const report = lossReporter(session);
  const once = () => connection.stream(ViewServiceService.watchView, request, { signal });
  const onState = (state: ConnectionState): void => {
    if (state.phase === "waiting") isBack = true;
    report(state);
  };
  for await (const response of resumed(once, { signal, onState })) {
    if (isStructured(options.output)) {
      await session.printItem(options.output, responseJson(ViewServiceService.watchView, response));
      continue;
    }
    const news = response.rows.filter(({ resource, values }) => resource !== undefined || values.length > 0);
    const rows: ViewRow[] = [];
    for (const row of news) {
      const before = known.get(row.name);
      const values = row.values.length > 0 ? row.values : (before?.values ?? []);
      const next = { ...row, resource: row.resource ?? before?.resource, values };
      known.set(row.name, next);
      if (!isBack || before === undefined || lookOf(before) !== lookOf(next)) rows.push(next);
    }
    if (isBack) noteGone(session, known, new Set(response.rows.map(({ name }) => name)));
    isBack = false;
    if (options.output === "name") for (const { name } of rows) session.print(escapeText(name));
    else printer.print(rows);
  }
  signal.throwIfAborted();
}

/** What is seen of a row, but for its place. */
function lookOf({ resource, values }: ViewRow): string {
  return JSON.stringify([resource === undefined ? "" : Buffer.from(resource.value).toString("base64"), values]);
}

/** Tells what the window does not have any more that it had before the hub was lost. */
function noteGone(session: Session, known: Map<string, ViewRow>, there: ReadonlySet<string>): void {
  const gone = [...known.keys()].filter((name) => !there.has(name));
  for (const name of gone) known.delete(name);
  if (gone.length > 0) {
    const some = gone.slice(0, 10).map(shortName).join(", ");
    const more = gone.length > 10 ? ` and ${gone.length - 10} more` : "";
    session.note(escapeText(`zor: not among them any more: ${some}${more}`));
  }
}

function columnsOf(fields: readonly string[]): readonly Column<ViewRow>[] {
  const textOf = viewTexts(fields);
  const kindOf = ({ resource }: ViewRow): string => (resource === undefined ? "" : (findPackedKind(resource) ?? ""));
  return [
    { title: "KIND", rank: 1, value: kindOf },
    { title: "NAME", rank: 0, cut: "middle", shrinkTo: 20, value: ({ name }) => shortName(name) },
    { title: "STATE", rank: 1, value: stateOf },
    ...fields.map(
      (field, at): Column<ViewRow> => ({
        title: field.toUpperCase(),
        rank: 2,
        shrinkTo: 12,
        value: (row) => textOf(kindOf(row), row.values[at], at),
        sortKey: ({ values }) => values[at]?.value?.value ?? "",
      }),
    ),
  ];
}

function stateOf({ resource }: ViewRow): string {
  const found = resource === undefined ? undefined : unpack(resource);
  return found === undefined ? "" : stateReader(found.kind)(found.value);
}

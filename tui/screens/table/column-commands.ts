import { findKindBySingular } from "../../../lib/kinds/kinds.js";
import { fieldWords } from "../../../lib/query/query-field.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { pluralOf } from "../../kit/kind-table.js";
import { labelsOf } from "../../kit/row.js";
import type { Column } from "../../kit/table/column.js";
import {
  allColumns,
  findColumn,
  shownColumns,
  type TableLook,
  withColumn,
  withColumnMoved,
  withColumnWidth,
} from "../../kit/table/table-look.js";
import type { TableState } from "../../kit/table/table-state.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";

/** Cells that a column becomes wider or narrower by. */
const step = 2;
/** So many rows are looked at for labels. */
const mostRows = 2000;

/** A table whose looks are kept. */
export interface LookedAt {
  readonly table: TableState;
  /** Cells that a column takes on the screen. */
  widthOf(id: string): number;
  /** Shows the table like that, and keeps it. */
  keepLook(look: TableLook): void;
}

/** The keys that choose columns, sort by them, and move, widen and hide them. */
export function columnCommands(program: Program, at: LookedAt): readonly Command[] {
  const { model } = program;
  const { table } = at;
  const { kind } = table;
  const withChosen = (work: (column: Column) => void): void => {
    const column = table.columns[table.columnCursor];
    if (column === undefined) model.say("no column is chosen: left and right choose one");
    else work(column);
  };
  const look = "Look";
  const widen = (by: number) => () =>
    withChosen(({ id }) => at.keepLook(withColumnWidth(table.look, id, { now: at.widthOf(id), by })));
  const move = (by: -1 | 1) => () => withChosen(({ id }) => at.keepLook(withColumnMoved(kind, table.look, { id, by })));
  return [
    {
      id: "column.left",
      keys: ["left"],
      title: "choose the column to the left",
      group: look,
      run: () => table.moveColumn(-1),
    },
    {
      id: "column.right",
      keys: ["right"],
      title: "choose the column to the right",
      group: look,
      run: () => table.moveColumn(1),
    },
    {
      id: "column.sort",
      keys: ["|"],
      title: "sort by the chosen column, the same again turns round",
      group: look,
      run: () =>
        withChosen((column) => {
          table.sortByColumn(column);
          at.keepLook(table.look);
        }),
    },
    {
      id: "column.sort-also",
      keys: ["&"],
      title: "sort what is the same so far by the chosen column, the same again turns round",
      group: look,
      run: () => withChosen((column) => at.keepLook(table.lookAlsoSortedBy(column))),
    },
    { id: "column.move-left", keys: ["{"], title: "move the chosen column to the left", group: look, run: move(-1) },
    { id: "column.move-right", keys: ["}"], title: "move the chosen column to the right", group: look, run: move(1) },
    { id: "column.narrower", keys: ["("], title: "make the chosen column narrower", group: look, run: widen(-step) },
    { id: "column.wider", keys: [")"], title: "make the chosen column wider", group: look, run: widen(step) },
    {
      id: "column.hide",
      keys: ["\\"],
      title: "hide the chosen column; :columns brings it back",
      group: look,
      run: () => withChosen(({ id }) => at.keepLook(withColumn(kind, table.look, id))),
    },
    {
      id: "table.wide",
      keys: ["ctrl-w"],
      words: ["wide"],
      title: "wide: every column in full width, left and right walk along; or as usual",
      group: look,
      run: () => at.keepLook({ ...table.look, wide: table.look.wide !== true }),
    },
    {
      id: "table.columns",
      keys: [],
      words: ["columns"],
      argument: "[COLUMN]",
      title: "choose which columns the table has: those of its kind, a label (label.site), a field (spec.cpus)",
      group: look,
      choices: () => columnWords(program, kind),
      run: ({ argument }) => {
        if (argument === "") model.push(columnsMenu(program, at));
        else if (findColumn(kind, argument) !== undefined) at.keepLook(withColumn(kind, table.look, argument));
        else model.say(`${pluralOf(kind)} have no column, label or field "${argument}"; tab shows some`, "warn");
      },
    },
    {
      id: "table.as-usual",
      keys: [],
      words: ["as-usual"],
      title: "columns, widths and order of the table as they are without settings",
      group: look,
      run: () => at.keepLook({}),
    },
  ];
}

/** What can be a column of a kind: its own, labels that its rows have, fields. */
function columnWords({ model }: Program, kind: TuiKind): readonly string[] {
  const own = allColumns(kind).map(({ id }) => id);
  const labels = new Set<string>();
  let seen = 0;
  for (const row of model.fleet.rowsOf(kind.kind)) {
    for (const key of Object.keys(labelsOf(row))) labels.add(`label.${key}`);
    seen += 1;
    if (seen >= mostRows) break;
  }
  const fields = findKindBySingular(kind.kind) === undefined ? [] : fieldWords(kind.kind);
  return [
    ...new Set([...own, ...[...labels].sort(), ...fields.filter((word) => findColumn(kind, word) !== undefined)]),
  ];
}

function columnsMenu(program: Program, at: LookedAt): MenuScreen {
  const { kind } = at.table;
  const isShown = (id: string) => shownColumns(kind, at.table.look).some((column) => column.id === id);
  const all = [...new Map([...allColumns(kind), ...at.table.columns].map(({ id, title }) => [id, title]))];
  return new MenuScreen(program, {
    title: `columns of ${kind.kind}`,
    stays: true,
    items: () =>
      all.map(([id, title]) => ({
        text: `${isShown(id) ? "[x]" : "[ ]"} ${title}`,
        detail: id,
        run: () => at.keepLook(withColumn(kind, at.table.look, id)),
      })),
  });
}

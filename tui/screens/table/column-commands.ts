import type { Command } from "../../kit/keys/command.js";
import type { Column } from "../../kit/table/column.js";
import {
  allColumns,
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
      title: "choose which columns the table has",
      group: look,
      run: () => model.push(columnsMenu(program, at)),
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

function columnsMenu(program: Program, at: LookedAt): MenuScreen {
  const { kind } = at.table;
  const isShown = (id: string) => shownColumns(kind, at.table.look).some((column) => column.id === id);
  return new MenuScreen(program, {
    title: `columns of ${kind.kind}`,
    stays: true,
    items: () =>
      allColumns(kind).map(({ id, title }) => ({
        text: `${isShown(id) ? "[x]" : "[ ]"} ${title}`,
        detail: id,
        run: () => at.keepLook(withColumn(kind, at.table.look, id)),
      })),
  });
}

import { type Command, keyName } from "../kit/keys/command.js";
import { pluralOf } from "../kit/kind-table.js";
import { plainText } from "../kit/text/plain-text.js";
import { actionCommands } from "../screens/commands.js";
import { TableScreen } from "../screens/table/table-screen.js";
import type { Reading } from "./reading.js";
import { namesOf } from "./vocabulary.js";

/** What is only of use where something is drawn. */
const onlySeen = new Set(["command", "tables", "mouse", "skin", "redraw", "close", "stop"]);

/** The commands that there are only where lines are said: those that reading needs. All others are the program's. */
export function ownCommands(reader: Reading): readonly Command[] {
  const look = "Look";
  return [
    {
      keys: [],
      words: ["list", "l"],
      title: "say the screen again, from its beginning",
      group: look,
      run: () => reader.list(),
    },
    { keys: [], words: ["more", "m"], title: "say the next page", group: look, run: () => reader.more() },
    { keys: [], words: ["next", "+"], title: "choose the next row", group: look, run: () => reader.step(1) },
    { keys: [], words: ["previous", "-"], title: "choose the row before", group: look, run: () => reader.step(-1) },
    {
      keys: [],
      words: ["where"],
      title: "say where you are, and how that stands",
      group: look,
      run: () => reader.where(),
    },
    {
      keys: [],
      words: ["back"],
      title: "back to what was before; first drops marks and filter",
      group: look,
      run: () => reader.back(),
    },
    {
      keys: [],
      words: ["page"],
      argument: "LINES",
      title: "how many lines are said at a time: 1 to 1000",
      group: look,
      run: ({ argument }) => {
        const lines = Number(argument);
        if (!Number.isInteger(lines) || lines < 1 || lines > 1000) reader.fail("page needs a number from 1 to 1000");
        else {
          reader.page = lines;
          reader.say([`${lines} lines at a time`]);
        }
      },
    },
    {
      keys: [],
      words: ["watch"],
      argument: "[all|off]",
      title: "say what changes in the rows of this table, or in the whole fleet, as it happens; Ctrl-C ends it",
      group: look,
      choices: () => ["all", "off"],
      run: ({ argument }) => watch(reader, argument),
    },
    {
      keys: [],
      words: ["mark"],
      argument: "ROWS",
      title: "mark rows by numbers and names, or all; marked rows are acted on together",
      group: "Act",
      run: ({ argument }) => {
        if (argument === "") reader.fail("mark what? For example mark 2 5-7, or mark all");
        else reader.mark(argument, true);
      },
    },
    {
      keys: [],
      words: ["unmark"],
      argument: "[ROWS]",
      title: "take marks away, from all without rows",
      group: "Act",
      run: ({ argument }) => reader.mark(argument, false),
    },
    {
      keys: [],
      words: ["help", "h"],
      argument: "[WORD]",
      title: "what can be said here; of a word what it does",
      group: "Program",
      choices: () => reader.commands.flatMap((command) => namesOf(command).slice(0, 1)),
      run: ({ argument }) => reader.say(argument === "" ? helpLines(reader) : helpOf(reader, argument)),
    },
  ];
}

function watch(reader: Reading, what: string): void {
  const { model } = reader.program;
  const { screen } = model;
  if (what === "off") {
    reader.say([reader.news.stop() ? "nothing is watched any more" : "nothing was watched"]);
  } else if (what === "all" || !(screen instanceof TableScreen)) {
    reader.news.watch({ kinds: model.kinds.all.filter(({ log }) => log === undefined) });
    reader.say(["watching the whole fleet; Ctrl-C or watch off ends it"]);
  } else {
    const { table } = screen;
    reader.news.watch({ kinds: [table.kind], passes: (row) => table.isIn(row, model.nowMs) });
    reader.say([`watching ${plainText(screen.title())}; Ctrl-C or watch off ends it`]);
  }
}

function helpLines(reader: Reading): readonly string[] {
  const { model } = reader.program;
  const { kinds, screen, session } = model;
  const plurals = kinds.all.map(pluralOf);
  const verbs = screen.kind === undefined || session.readOnly ? [] : screen.kind.actions.map(({ verb }) => verb);
  const names = reader.commands.map((command) => namesOf(command)[0] ?? "");
  const others = new Set(names.filter((name) => !verbs.includes(name) && !onlySeen.has(name) && !name.includes(".")));
  return [
    `Tables: ${plurals.join(", ")}. Say one of them, for example ${plurals[0] ?? ""}; with a host and a filter, ${plurals[1] ?? ""} HOST /FILTER.`,
    "A number or a name chooses a row. An empty line describes it; where none is chosen it says the next page.",
    "/FILTER narrows a table: words, state=failed, cpu>50%, !word, sort by cpu desc. / alone shows everything again.",
    ...(verbs.length === 0
      ? []
      : [
          `Actions here: ${verbs.join(", ")}. With numbers, ranges or names, such as ${verbs[0] ?? ""} 2 5-7; without, on what is chosen or marked.`,
        ]),
    "What an action changes is said before it is done, and asked where it matters.",
    `Words here: ${[...others].join(", ")}. help and a word says what it does.`,
    "Ctrl-C ends what is followed or watched, or a question; Ctrl-D or quit ends the program. A colon before a word changes nothing.",
    ...(session.readOnly ? ["Read-only: nothing can be changed from here."] : []),
  ];
}

function helpOf(reader: Reading, word: string): readonly string[] {
  const { kinds } = reader.program.model;
  const actions = kinds.all.flatMap((kind) => actionCommands(reader.program, kind));
  const found = [...reader.commands, ...actions].filter((command) => namesOf(command).includes(word));
  const kind = kinds.findByWord(word);
  const lines = [...new Map(found.map((command) => [command.title, command])).values()].map((command) => {
    const keys = command.keys.length === 0 ? "" : `; ${command.keys.map(keyName).join(" or ")} on the full screen`;
    const argument = command.argument === undefined ? "" : ` ${command.argument}`;
    const asks = command.dangerous === true ? "; asks first" : "";
    return `${namesOf(command).join(" or ")}${argument}: ${command.title}${asks}${keys}`;
  });
  if (kind !== undefined) lines.unshift(`${pluralOf(kind)} [HOST] [/FILTER]: the table of ${pluralOf(kind)}`);
  return lines.length > 0 ? lines : [`there is no ${plainText(word)} here; help says what there is`];
}

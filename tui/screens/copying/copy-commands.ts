import { messageOf } from "../../../lib/errors.js";
import { yamlText } from "../../kit/describe/yaml.js";
import type { Command } from "../../kit/keys/command.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { allColumns } from "../../kit/table/table-look.js";
import { cellText, formOf, tableForms, tableText } from "../../kit/table/table-text.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";
import { TableScreen } from "../table/table-screen.js";

const parts = ["name", "address", "row", "yaml"] as const;
type Part = (typeof parts)[number];

/** The commands that take what is shown out of the program: into the clipboard, or into a file. */
export function copyCommands(program: Program): readonly Command[] {
  const { model } = program;
  return [
    {
      id: "copy",
      keys: ["ctrl-y"],
      words: ["copy"],
      argument: "[name|address|row|yaml]",
      title: "copy to the clipboard: the name, an address, the row or the YAML",
      group: "Look",
      when: () => model.screen.kind !== undefined,
      choices: () => parts,
      run: ({ argument }) => {
        const row = model.screen.subject();
        const part = parts.find((each) => each === argument);
        if (row === undefined) model.say("there is nothing to copy here");
        else if (part !== undefined) copy(program, row, part);
        else if (argument === "") model.push(copyMenu(program, row));
        else model.say(`"${argument}" cannot be copied: ${parts.join(", ")} can`, "warn");
      },
    },
    {
      id: "table.save",
      keys: ["ctrl-s"],
      words: ["save"],
      argument: "FILE",
      title: `save the table to a file, in the form of its end: ${tableForms.join(", ")}`,
      group: "Look",
      when: () => model.screen instanceof TableScreen,
      run: ({ argument }) => {
        if (argument !== "") saveTable(program, argument, false);
        else
          model.prompt = {
            ...{ type: "input", text: "", title: "save the table to a file (.csv, .json, .txt)", choices: [] },
            go: (path) => saveTable(program, path, false),
          };
      },
    },
  ];
}

function copyMenu(program: Program, row: Row): MenuScreen {
  return new MenuScreen(program, {
    title: `copy of ${shortName(row.name)}`,
    items: () =>
      parts.map((part) => {
        const text = textOfPart(program, row, part) ?? "it has none";
        return { text: part, detail: text.slice(0, 200), run: () => copy(program, row, part) };
      }),
  });
}

function copy(program: Program, row: Row, part: Part): void {
  const { model } = program;
  const text = textOfPart(program, row, part);
  if (text === undefined) model.say(`${shortName(row.name)} has no ${part}`, "warn");
  else if (program.copy(text)) model.say(`sent to the terminal's clipboard: ${part} of ${shortName(row.name)}`);
  else model.say(`it is too long for the clipboards of terminals: ${text.length} characters`, "warn");
}

function textOfPart({ model }: Program, row: Row, part: Part): string | undefined {
  const { context, kinds } = model;
  const kind = kinds.find(row.kind);
  const columns = kind === undefined ? [] : allColumns(kind);
  switch (part) {
    case "name":
      return shortName(row.name);
    case "address": {
      const texts = columns.map((column) => cellText(column, row, context));
      return texts.flatMap((text) => text.split(/[\s,]+/)).find((word) => addressForm.test(word));
    }
    case "row":
      return columns.map((column) => cellText(column, row, context)).join("\t");
    case "yaml":
      return kinds.findByName(row.name) === undefined ? undefined : yamlText(row);
  }
}

/** IPv4 or IPv6, with or without port or length of prefix. */
const addressForm = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\]?)(?:[:/]\d+)?$/i;

function saveTable(program: Program, path: string, replace: boolean): void {
  const { model } = program;
  const { screen, nowMs, context } = model;
  const form = formOf(path);
  if (!(screen instanceof TableScreen)) {
    model.say("only tables are saved to files", "warn");
    return;
  }
  if (form === undefined) {
    model.say(`the end of its name says the form: ${tableForms.map((each) => `.${each}`).join(", ")}`, "warn");
    return;
  }
  const list = screen.table.rows(nowMs);
  const rows = Array.from({ length: list.length }, (_, index) => list.at(index)).filter((row) => row !== undefined);
  const text = tableText(rows, { columns: screen.table.columns, context, form });
  program.saveText(path, text, replace).then(
    () => {
      model.say(`${rows.length} rows saved to ${path}`);
      model.changed();
    },
    (error: unknown) => {
      model.say(`${path}: ${messageOf(error)}`, "warn");
      if (!replace && messageOf(error).includes("one of that name")) {
        model.prompt = {
          ...{ type: "question", text: "", title: `${path} is there already: replace it` },
          yes: () => saveTable(program, path, true),
          no: () => model.say("nothing was saved"),
        };
      }
      model.changed();
    },
  );
}

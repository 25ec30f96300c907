import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import { pluralOf } from "../../kit/kind-table.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";
import { TableScreen } from "../table/table-screen.js";

/** The commands that keep a table with its filter, columns and order under a name, and open it again. */
export function viewCommands(program: Program): readonly Command[] {
  const names = (): readonly string[] => Object.keys(program.settings.values.views).sort();
  return [
    {
      id: "view.save",
      keys: [],
      words: ["save-view"],
      argument: "NAME",
      title: "keep this table, its filter, columns and order as a view",
      group: "Look",
      choices: names,
      run: ({ argument }) => saveView(program, argument),
    },
    {
      id: "view.open",
      keys: [],
      words: ["view"],
      argument: "[NAME]",
      title: "open a view that was kept; without a name all of them",
      group: "Look",
      choices: names,
      run: ({ argument }) => {
        if (argument === "") program.model.push(viewsMenu(program));
        else openView(program, argument);
      },
    },
    {
      id: "view.delete",
      keys: [],
      words: ["delete-view"],
      argument: "NAME",
      title: "forget a view",
      group: "Look",
      choices: names,
      run: ({ argument }) => deleteView(program, argument),
    },
  ];
}

/** Opens a view that was kept; says so when there is none of that name. */
function openView(program: Program, name: string): void {
  const { model, settings } = program;
  const view = Object.hasOwn(settings.values.views, name) ? settings.values.views[name] : undefined;
  if (view === undefined) {
    model.say(`there is no view "${name}"; :save-view ${name} makes one of the table on the screen`, "warn");
    return;
  }
  const kind = model.kinds.findByWord(view.table);
  if (kind === undefined) {
    model.say(`${settings.pathOf("views")}: view ${name}: there is no table "${view.table}"; 1 to 9 show some`, "warn");
    return;
  }
  const scope = view.host === undefined ? undefined : { title: view.host, host: view.host };
  model.openOnly(new TableScreen(program, kind.kind, scope, { filter: view.filter ?? "", view: { ...view, name } }));
}

function viewsMenu(program: Program): MenuScreen {
  return new MenuScreen(program, {
    title: "views",
    empty: "no view was kept yet; :save-view NAME keeps the table on the screen",
    items: () =>
      Object.entries(program.settings.values.views).map(([name, { table, host = "", filter = "" }]) => ({
        text: name,
        detail: [table, host, filter === "" ? "" : `/${filter}`].filter((part) => part !== "").join(" "),
        run: () => openView(program, name),
      })),
  });
}

function saveView(program: Program, name: string): void {
  const { model } = program;
  const screen = model.screen;
  if (!(screen instanceof TableScreen) || screen.line() === undefined) {
    model.say("only a table of a kind, whole or of a host, can be kept as a view", "warn");
    return;
  }
  if (!/^[a-z0-9][a-z0-9_.-]*$/i.test(name)) {
    model.say("name it with letters, digits, dots and dashes: :save-view stopped-at-night", "warn");
    return;
  }
  const { table } = screen;
  const { host } = table.scope ?? {};
  const view = {
    table: pluralOf(table.kind),
    ...(host === undefined ? {} : { host }),
    ...(table.filterText === "" ? {} : { filter: table.filterText }),
    ...(table.faultsOnly ? { faults: true } : {}),
    ...withoutUnset(table.look),
  };
  keep(program, name, view, `kept; :view ${name} opens it`);
}

function deleteView(program: Program, name: string): void {
  if (Object.hasOwn(program.settings.values.views, name)) keep(program, name, undefined, `view ${name} is forgotten`);
  else program.model.say(`there is no view "${name}"`, "warn");
}

function keep(program: Program, name: string, view: object | undefined, done: string): void {
  const { model, settings } = program;
  const failed = (error: unknown): void => {
    model.say(`the view is not kept: ${messageOf(error)}`, "bad");
    model.changed();
  };
  model.say(done);
  settings.put("views", [name], view).catch(failed);
}

function withoutUnset(look: object): object {
  return Object.fromEntries(Object.entries(look).filter(([, value]) => value !== undefined));
}

import { messageOf } from "../../lib/errors.js";
import type { Command } from "../kit/keys/command.js";
import { MenuScreen } from "./menu/menu-screen.js";
import type { Program } from "./program.js";
import { TableScreen } from "./table/table-screen.js";

/** The command that goes to another hub or agent. */
export function contextCommands(program: Program): readonly Command[] {
  const { model, contexts } = program;
  return [
    {
      id: "context",
      keys: [],
      words: ["ctx"],
      argument: "[NAME]",
      title: "go to another context; :instances @NAME goes there with a table",
      group: "Program",
      choices: () => contexts.list(),
      run: ({ argument }) => {
        if (argument === "") model.push(contextMenu(program));
        else goToContext(program, argument, "");
      },
    },
  ];
}

function contextMenu(program: Program): MenuScreen {
  const { model, contexts } = program;
  return new MenuScreen(program, {
    title: "contexts",
    items: () =>
      contexts.list().map((name) => ({
        text: name,
        detail: name === model.session.context ? "here" : "",
        run: () => goToContext(program, name, ""),
      })),
  });
}

/** Goes to a context and does what a line of the command line says there; without one the first table is opened. */
export function goToContext(program: Program, name: string, line: string): void {
  const { model, contexts, requests, log } = program;
  if (!contexts.list().includes(name)) {
    model.say(`there is no context "${name}"; there are: ${contexts.list().join(", ")}`, "warn");
    return;
  }
  // What is still to be asked for would be asked of the other hub.
  if (requests.underWay > 0) {
    model.say(`${requests.underWay} requests are not answered yet; go elsewhere when they are`, "warn");
    return;
  }
  if (name === model.session.context) {
    if (line !== "") program.run(line);
    return;
  }
  const from = model.session.context;
  model.say(`going to ${name}`);
  contexts
    .use(name)
    .then(() => {
      model.openOnly(new TableScreen(program, model.kinds.all[0]?.kind ?? ""));
      if (line !== "") program.run(line);
      model.say(`this is ${name} now; :ctx ${from} goes back`);
    })
    .catch((error: unknown) => {
      log.warn({ err: error, context: name }, "a context cannot be used");
      model.say(`still at ${from}: ${messageOf(error)}`, "bad");
    })
    .finally(() => model.changed());
}

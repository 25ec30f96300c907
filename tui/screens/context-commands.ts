import { messageOf } from "../../lib/errors.js";
import type { Command } from "../kit/keys/command.js";
import { MenuScreen } from "./menu/menu-screen.js";
import type { Program } from "./program.js";
import { TableScreen } from "./table/table-screen.js";
import { counted } from "../../lib/words.js";
import { contextsIn } from "../kit/hubs.js";
import type { Model } from "../kit/model.js";

/** The command that goes to another hub or agent. */
export function contextCommands(program: Program): readonly Command[] {
  const { model, contexts } = program;
  return [
    {
      id: "context",
      keys: [],
      words: ["ctx"],
      argument: "[NAME[+NAME]]",
      title: "go to another context, or see several at once (A+B); :instances @NAME goes there with a table",
      group: "Program",
      choices: (typed) => contextChoices(contexts.list(), typed),
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

/** What "ctx" may be followed by: each context, and behind a "+" each that is not named yet. */
function contextChoices(all: readonly string[], typed: string): readonly string[] {
  const before = typed.slice(0, typed.lastIndexOf("+") + 1);
  return all.filter((name) => !contextsIn(before).includes(name)).map((name) => `${before}${name}`);
}

/** Goes to a context, or to several in one view, and does what a line of the command line says there; without one the first table is opened. */
export function goToContext(program: Program, typed: string, line: string): void {
  const { model, contexts, log } = program;
  const from = model.session.context;
  const names = contextsIn(typed);
  const name = names.join("+");
  if (name === from) {
    if (line === "") model.say(`this is ${name}`);
    else program.run(line);
    return;
  }
  const unknown = names.find((each) => !contexts.list().includes(each)) ?? (name === "" ? typed : undefined);
  if (unknown !== undefined) {
    model.say(`there is no context "${unknown}"; there are: ${contexts.list().join(", ")}`, "warn");
    return;
  }
  if (!mayLeave(program)) return;
  model.say(`going to ${name}`);
  contexts
    .open(name)
    .then((go) => {
      if (!mayLeave(program)) return;
      leaveContext(program);
      go();
      model.openOnly(new TableScreen(program, model.kinds.all[0]?.kind ?? ""));
      const place = program.remembered.placeOf(name);
      const back = place === undefined || line !== "" ? "" : `; you left it at :${place}, \` goes there`;
      model.say(`this is ${name} now; :ctx ${from} goes back${back}`);
      if (line !== "") program.run(line);
    })
    .catch((error: unknown) => {
      log.warn({ err: error, context: name }, "a context cannot be used");
      model.complain("tui.context_failed", "", `still at ${from}: ${messageOf(error)}`);
    })
    .finally(() => model.changed());
}

/** What is still to be asked for would be asked of the other hub. */
function mayLeave({ model, requests }: Program): boolean {
  if (requests.underWay === 0) return true;
  model.say(`${counted(requests.underWay, "request")} not answered yet; go elsewhere when that is over`, "warn");
  return false;
}

/** Ends what is of this context alone, and notes where it was left. Ports that lead to instances stay open. */
function leaveContext(program: Program): void {
  const { model, log, remembered } = program;
  const place = lastPlace(model);
  if (place !== undefined) {
    remembered.leave(model.session.context, place).catch((error: unknown) => {
      log.warn({ err: error }, "the place cannot be remembered");
    });
  }
  program.consoles.detachAll();
  program.captures.endAll();
  program.cabling.drop();
  program.requests.undo.forget();
}

/** The line that opens the place where somebody is; undefined: none does. */
export function lastPlace({ screens }: Model): string | undefined {
  return screens.findLast((each) => each.line?.() !== undefined)?.line?.();
}

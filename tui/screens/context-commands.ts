import { messageOf } from "../../lib/errors.js";
import { isId } from "../../lib/names.js";
import { isDialAddress } from "../../lib/socket-address.js";
import { counted } from "../../lib/words.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import { contextsIn, hubOf } from "../kit/hubs.js";
import type { Command } from "../kit/keys/command.js";
import type { Model } from "../kit/model.js";
import type { Row } from "../kit/row.js";
import { MenuScreen } from "./menu/menu-screen.js";
import type { Contexts, Program } from "./program.js";
import { TableScreen } from "./table/table-screen.js";

/** The command that goes to another hub or agent. */
export function contextCommands(program: Program): readonly Command[] {
  const { model, contexts } = program;
  return [
    {
      id: "context",
      keys: [],
      words: ["ctx", "context"],
      argument: "[NAME[+NAME]]",
      title: "go to another context, or see several at once (A+B); :instances @NAME goes there with a table",
      group: "Program",
      choices: (typed) => contextChoices(contexts.list(), typed),
      run: ({ argument }) => {
        if (argument === "") model.push(contextMenu(program));
        else void goToContext(program, argument, "");
      },
    },
    {
      id: "agent",
      keys: [],
      words: ["agent"],
      argument: "[HOST [ADDRESS]]",
      title: "past the hub, straight to the agent of HOST or of the host under the cursor; also while the hub is away",
      group: "Program",
      choices: () => hostRows(model).map((row) => row.id),
      run: ({ argument }) => goToAgent(program, argument),
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
        run: () => void goToContext(program, name, ""),
      })),
  });
}

/** What "ctx" may be followed by: each context, and behind a "+" each that is not named yet. */
function contextChoices(all: readonly string[], typed: string): readonly string[] {
  const before = typed.slice(0, typed.lastIndexOf("+") + 1);
  return all.filter((name) => !contextsIn(before).includes(name)).map((name) => `${before}${name}`);
}

/** Goes to a context, or to several in one view, and does what a line of the command line says there; without one the first table is opened. */
export async function goToContext(program: Program, typed: string, line: string): Promise<void> {
  const { model, contexts, log } = program;
  const from = model.session.context;
  const names = contextsIn(typed);
  const name = names.join("+");
  if (name === from) {
    if (line === "") model.say(`this is ${name}`);
    else program.run(line);
    return;
  }
  try {
    const unknown = await unknownOf(contexts, names);
    if (unknown !== undefined || name === "") {
      model.say(`there is no context "${unknown ?? typed}"; there are: ${contexts.list().join(", ")}`, "warn");
      return;
    }
    if (!mayLeave(program)) return;
    model.say(`going to ${name}`);
    const go = await contexts.open(name);
    if (!mayLeave(program)) return;
    leaveContext(program);
    go();
    model.openOnly(new TableScreen(program, model.kinds.all[0]?.kind ?? ""));
    const place = program.remembered.placeOf(name);
    const back = place === undefined || line !== "" ? "" : `; you left it at :${place}, \` goes there`;
    model.say(`this is ${name} now; :ctx ${from} goes back${back}`);
    if (line !== "") program.run(line);
  } catch (error) {
    log.warn({ err: error, context: name }, "a context cannot be used");
    model.complain("tui.context_failed", "", `still at ${from}: ${messageOf(error)}`);
  } finally {
    model.changed();
  }
}

/** The first of these that there is no context of; one that was made meanwhile is found. */
async function unknownOf(contexts: Contexts, names: readonly string[]): Promise<string | undefined> {
  const find = (): string | undefined => names.find((each) => !contexts.list().includes(each));
  if (find() === undefined) return undefined;
  await contexts.look();
  return find();
}

/** Goes to the agent of a host: of what is under the cursor, where none is named. Of one that is not known an address is said. */
function goToAgent(program: Program, typed: string): void {
  const { model, contexts, log } = program;
  const here = model.screen.subject();
  const [named = "", address] = typed.split(/\s+/);
  const wanted = named !== "" ? named : here?.kind === model.kinds.presence?.kind ? here?.id : here?.host;
  if (wanted === undefined || wanted === "") {
    model.say("the agent of which host? :agent alpha, or go to one first", "warn");
    return;
  }
  const row = hostRows(model).find(({ id }) => id === wanted);
  if (row === undefined && address === undefined) {
    const known = model.fleet.loaded ? "tab behind :agent shows them" : "the fleet was not read yet";
    model.say(`there is no host "${wanted}"; ${known}, and with its address it is asked all the same`, "warn");
    return;
  }
  const [id = ""] = wanted.split("@", 1);
  const { session } = model;
  if (!isId(id) || (address !== undefined && !isDialAddress(address))) {
    model.say(`"${typed}" is no host and its address, such as alpha 10.0.0.7:7443`, "warn");
    return;
  }
  if (session.agentOf === id) {
    model.say(`this is the agent of ${id}`);
    return;
  }
  if (!mayLeave(program)) return;
  // Rows of the kind that others live on hold hosts.
  const known = (row?.resource as Host | undefined) ?? { addresses: [], via: "" };
  const place =
    address === undefined ? { addresses: known.addresses, via: known.via } : { addresses: [address], via: "" };
  model.say(`asking the agent of ${id}`);
  contexts
    .openAgent(hubOf(wanted) || session.context, { id, ...place })
    .then((name) => goToContext(program, name, ""))
    .catch((error: unknown) => {
      log.warn({ err: error, host: id }, "an agent cannot be asked");
      model.complain("tui.agent_failed", `hosts/${wanted}`, `still at ${session.context}: ${messageOf(error)}`);
    })
    .finally(() => model.changed());
}

function hostRows({ kinds, fleet }: Model): readonly Row[] {
  return kinds.presence === undefined ? [] : [...fleet.rowsOf(kinds.presence.kind)];
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

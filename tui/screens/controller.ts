import { messageOf } from "../../lib/errors.js";
import { shortName } from "../client/short-name.js";
import { completions, parseCommandLine } from "../keymap/command-line.js";
import { type CommandId, findCommand, type KeyContext } from "../keymap/commands.js";
import { textOf } from "../keymap/chord.js";
import { type Model, newPage, type Prompt } from "../store/model.js";
import type { Kind, Row } from "../store/resource.js";
import { kinds } from "../store/resource.js";
import { TableState } from "../store/table-state.js";
import type { Actions } from "./actions.js";

/** How long the first ctrl-c waits for the second. */
const quitWindowMs = 2000;

/** What the controller does outside the model. */
export interface Surroundings {
  readonly actions: Actions;
  /** Attaches to a console with the screen put aside. */
  attachConsole(name: string): Promise<void>;
  redraw(): void;
  resync(): void;
  quit(): void;
}

/** Turns keys into changes of the model and into what is asked of the fleet. */
export class Controller {
  readonly #model: Model;
  readonly #around: Surroundings;
  #interruptedAtMs = Number.NEGATIVE_INFINITY;

  constructor(model: Model, around: Surroundings) {
    this.#model = model;
    this.#around = around;
  }

  /** What is bound where the person is now. */
  get keyContext(): KeyContext {
    const { screen, session } = this.#model;
    const kind = screen.type === "table" ? screen.table.kind : screen.type === "detail" ? screen.kind : undefined;
    return { screen: screen.type, kind, readOnly: session.readOnly };
  }

  /** A key was pressed. */
  press(chord: string): void {
    const { prompt } = this.#model;
    if (chord === "ctrl-c") this.#interrupt();
    else if (prompt !== undefined) this.#pressInPrompt(prompt, chord);
    else this.#pressOnScreen(chord);
    this.#model.changed();
  }

  /** Text was pasted: it goes into what is being typed, and is never taken for keys. */
  paste(text: string): void {
    const { prompt } = this.#model;
    const [line = ""] = text.split(/[\r\n]/, 1);
    if (prompt === undefined || prompt.type === "confirm") this.#model.say("pasted text is ignored here");
    else this.#setText(prompt, prompt.text + line);
    this.#model.changed();
  }

  #pressOnScreen(chord: string): void {
    const command = findCommand(chord, this.keyContext);
    if (command !== undefined) {
      this.#do(command.id);
      return;
    }
    const { screen } = this.#model;
    if (screen.type === "table" && /^[A-Z]$/.test(chord)) screen.table.sortBy(chord);
  }

  #do(id: CommandId): void {
    const model = this.#model;
    const { actions } = this.#around;
    switch (id) {
      case "up":
        return this.#move(-1);
      case "down":
        return this.#move(1);
      case "pageUp":
        return this.#page(-1);
      case "pageDown":
        return this.#page(1);
      case "first":
        return this.#move(Number.NEGATIVE_INFINITY);
      case "last":
        return this.#move(Number.POSITIVE_INFINITY);
      case "open":
        return this.#open();
      case "back":
        return this.#back();
      case "describe":
        return this.#describe(false);
      case "yaml":
        return this.#describe(true);
      case "events":
        return this.#showEvents();
      case "command":
        model.prompt = { type: "command", text: "" };
        return;
      case "filter":
        return this.#beginFilter();
      case "help":
        if (model.screen.type !== "help") model.push({ type: "help", page: newPage() });
        return;
      case "mark":
        if (model.screen.type === "table") model.screen.table.toggleMark(model.nowMs);
        return;
      case "markAll":
        if (model.screen.type === "table") model.screen.table.toggleAllMarks(model.nowMs);
        return;
      case "start":
      case "stop":
      case "reset":
      case "delete":
        return actions.request(id, this.#targets());
      case "pause":
        return actions.togglePause(this.#targets());
      case "console":
        return this.#console();
      case "resync":
        this.#around.resync();
        model.say("reading everything from the hub again");
        return;
      case "redraw":
        return this.#around.redraw();
      case "quit":
        if (!model.pop()) this.#around.quit();
        return;
      case "interrupt":
        return this.#interrupt();
      default:
        return this.#openTable(id.slice("table:".length));
    }
  }

  #openTable(name: string): void {
    const kind = kinds.find((candidate) => candidate === name);
    if (kind !== undefined) this.#model.openOnly(kind, undefined, "");
  }

  #move(by: number): void {
    const { screen, nowMs } = this.#model;
    if (screen.type === "table") screen.table.move(by, nowMs);
    else screen.page.top = Math.max(0, screen.page.top + by);
  }

  #page(by: number): void {
    const { screen, nowMs } = this.#model;
    if (screen.type === "table") screen.table.page(by, nowMs);
    else screen.page.top = Math.max(0, screen.page.top + by * Math.max(1, screen.page.height - 1));
  }

  #current(): Row | undefined {
    const { screen, nowMs } = this.#model;
    if (screen.type === "table") return screen.table.current(nowMs);
    return screen.type === "detail" ? this.#model.find(screen.kind, screen.name) : undefined;
  }

  #targets(): readonly Row[] {
    const { screen, nowMs } = this.#model;
    if (screen.type === "table") return screen.table.targets(nowMs);
    const row = this.#current();
    return row === undefined ? [] : [row];
  }

  /** Enter: from a host to its instances, from a lan to its ports, from a port to what is plugged in, else to the details. */
  #open(): void {
    const row = this.#current();
    if (row === undefined) return;
    const { fleet } = this.#model;
    if (row.kind === "hosts") {
      const scope = { title: row.id, host: row.id };
      this.#model.push({ type: "table", table: new TableState(fleet, "instances", scope) });
    } else if (row.kind === "lans") {
      const scope = { title: shortName(row.name), lan: row.name };
      this.#model.push({ type: "table", table: new TableState(fleet, "ports", scope) });
    } else this.#describe(false);
  }

  #describe(yaml: boolean): void {
    const { screen } = this.#model;
    if (screen.type === "detail") {
      this.#model.pop();
      this.#model.push({ ...screen, yaml, page: newPage() });
      return;
    }
    const row = this.#current();
    const target = row === undefined || row.kind === "ports" ? findEndpoint(row?.name ?? "") : row;
    if (target === undefined) return;
    this.#model.push({ type: "detail", kind: target.kind, name: target.name, yaml, page: newPage() });
  }

  #showEvents(): void {
    const row = this.#current();
    if (row === undefined || row.kind === "ports") return;
    const table = new TableState(this.#model.fleet, "events", { title: shortName(row.name), about: row.name });
    this.#model.push({ type: "table", table });
  }

  #back(): void {
    const { screen } = this.#model;
    if (this.#model.notice?.tone === "bad") this.#model.notice = undefined;
    else if (screen.type === "table" && screen.table.marked.size > 0) screen.table.clearMarks();
    else if (screen.type === "table" && screen.table.filterText !== "") screen.table.setFilter("");
    else this.#model.pop();
  }

  #console(): void {
    const row = this.#current();
    if (row === undefined) return;
    this.#around.attachConsole(row.name).catch((error: unknown) => {
      this.#model.complain("tui.console_failed", row.name, `console of ${shortName(row.name)}: ${messageOf(error)}`);
      this.#model.changed();
    });
  }

  #interrupt(): void {
    const { nowMs } = this.#model;
    this.#leavePrompt();
    if (nowMs - this.#interruptedAtMs < quitWindowMs) this.#around.quit();
    this.#interruptedAtMs = nowMs;
    this.#model.say("press ctrl-c again to quit");
  }

  #beginFilter(): void {
    const { screen } = this.#model;
    if (screen.type !== "table") return;
    const text = screen.table.filterText;
    this.#model.prompt = { type: "filter", text, before: text };
  }

  #pressInPrompt(prompt: Prompt, chord: string): void {
    if (chord === "esc") this.#leavePrompt();
    else if (chord === "enter") this.#enter(prompt);
    else if (chord === "backspace") {
      if (prompt.text === "" && prompt.type !== "confirm") this.#leavePrompt();
      else this.#setText(prompt, [...prompt.text].slice(0, -1).join(""));
    } else if (chord === "ctrl-u") this.#setText(prompt, "");
    else if (chord === "ctrl-w") this.#setText(prompt, prompt.text.replace(/\S*\s*$/, ""));
    else if (chord === "tab" && prompt.type === "command") this.#setText(prompt, this.completions()[0] ?? prompt.text);
    else {
      const text = textOf(chord);
      if (text !== undefined) this.#type(prompt, text);
    }
  }

  /** What may follow what is typed on the command line. */
  completions(): readonly string[] {
    const { prompt } = this.#model;
    return prompt?.type === "command" ? completions(prompt.text, this.#hosts()) : [];
  }

  #type(prompt: Prompt, text: string): void {
    this.#setText(prompt, prompt.text + text);
    // One key is enough where one letter is asked for.
    if (prompt.type === "confirm" && prompt.phrase === "y") {
      if (text.toLowerCase() === "y") this.#enter({ ...prompt, text: "y" });
      else this.#leavePrompt();
    }
  }

  #setText(prompt: Prompt, text: string): void {
    this.#model.prompt = { ...prompt, text };
    const { screen } = this.#model;
    if (prompt.type === "filter" && screen.type === "table") screen.table.setFilter(text);
  }

  #leavePrompt(): void {
    const { prompt, screen } = this.#model;
    this.#model.prompt = undefined;
    if (prompt?.type === "filter" && screen.type === "table") screen.table.setFilter(prompt.before);
    if (prompt?.type === "confirm") this.#model.say(`did not ${prompt.impact.verb} anything`);
  }

  #enter(prompt: Prompt): void {
    if (prompt.type === "confirm" && prompt.text !== prompt.phrase) {
      this.#model.say(`type ${prompt.phrase} to go ahead, esc to leave it`, "warn");
      return;
    }
    this.#model.prompt = undefined;
    if (prompt.type === "confirm") this.#around.actions.perform(prompt.impact);
    if (prompt.type === "command") this.#runCommandLine(prompt.text);
  }

  #runCommandLine(line: string): void {
    const model = this.#model;
    if (line.trim() === "") return;
    const command = parseCommandLine(line, this.#hosts());
    switch (command.type) {
      case "table": {
        const { host } = command;
        model.openOnly(command.kind, host === undefined ? undefined : { title: host, host }, command.filter);
        return;
      }
      case "quit":
        return this.#around.quit();
      case "help":
        return this.#do("help");
      case "resync":
        return this.#do("resync");
      case "describe":
        return this.#describeByShortName(command.id);
      case "unknown":
        model.say(command.message, "warn");
    }
  }

  #describeByShortName(id: string): void {
    for (const kind of kinds) {
      const found = findByShortName(this.#model.fleet.tables[kind].rows(), id);
      if (found !== undefined) {
        this.#model.push({ type: "detail", kind, name: found, yaml: false, page: newPage() });
        return;
      }
    }
    this.#model.say(`there is no "${id}"; names look like alpha, alpha/vm1 or demo`, "warn");
  }

  #hosts(): readonly string[] {
    return [...this.#model.fleet.tables.hosts.rows()].map((row) => row.id).sort();
  }
}

/** The resource behind an endpoint: the instance of a NIC, or the link. */
function findEndpoint(endpoint: string): { readonly kind: Kind; readonly name: string } | undefined {
  if (endpoint.startsWith("links/")) return { kind: "links", name: endpoint };
  const name = endpoint.split("/").slice(0, 4).join("/");
  return name.includes("/instances/") ? { kind: "instances", name } : undefined;
}

function findByShortName(rows: Iterable<Row>, id: string): string | undefined {
  for (const row of rows) if (shortName(row.name) === id || row.name === id) return row.name;
  return undefined;
}

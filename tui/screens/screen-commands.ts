import { messageOf } from "../../lib/errors.js";
import { shortName } from "../kit/resource-name.js";
import type { CommandId } from "../kit/keys/commands.js";
import { type Model, newPage } from "../kit/model.js";
import { type Kind, kindOfName, type Row } from "../kit/row.js";
import { TableState } from "../kit/table/table-state.js";
import type { Surroundings } from "./surroundings.js";

/** What each command does on the screen that is open. */
export function screenCommands(model: Model, around: Surroundings): Readonly<Record<CommandId, () => void>> {
  const openTable = (kind: Kind) => () => model.openOnly(kind, undefined, "");
  const { actions } = around;
  return {
    up: () => move(model, -1),
    down: () => move(model, 1),
    pageUp: () => page(model, -1),
    pageDown: () => page(model, 1),
    first: () => move(model, Number.NEGATIVE_INFINITY),
    last: () => move(model, Number.POSITIVE_INFINITY),
    open: () => open(model),
    back: () => back(model),
    describe: () => showDetails(model, false),
    yaml: () => showDetails(model, true),
    events: () => showEvents(model),
    diagnose: () => {
      const row = current(model);
      if (row?.kind === "links") around.diagnose(row.name);
    },
    command: () => {
      model.prompt = { type: "command", text: "" };
    },
    filter: () => beginFilter(model),
    help: () => {
      if (model.screen.type !== "help") model.push({ type: "help", page: newPage() });
    },
    mark: () => {
      if (model.screen.type === "table") model.screen.table.toggleMark(model.nowMs);
    },
    markAll: () => {
      if (model.screen.type === "table") model.screen.table.toggleAllMarks(model.nowMs);
    },
    start: () => actions.request("start", targets(model)),
    stop: () => actions.request("stop", targets(model)),
    reset: () => actions.request("reset", targets(model)),
    delete: () => actions.request("delete", targets(model)),
    pause: () => actions.togglePause(targets(model)),
    console: () => attach(model, around),
    resync: () => {
      around.resync();
      model.say("reading everything from the hub again");
    },
    redraw: () => around.redraw(),
    suspend: () => around.stop(),
    quit: () => {
      if (!model.pop()) around.quit();
    },
    "table:hosts": openTable("hosts"),
    "table:instances": openTable("instances"),
    "table:lans": openTable("lans"),
    "table:links": openTable("links"),
    "table:operations": openTable("operations"),
    "table:events": openTable("events"),
    "table:a2bs": openTable("a2bs"),
  };
}

function move(model: Model, by: number): void {
  const { screen, nowMs } = model;
  if (screen.type === "table") screen.table.move(by, nowMs);
  else screen.page.top = Math.max(0, screen.page.top + by);
}

function page(model: Model, by: number): void {
  const { screen, nowMs } = model;
  if (screen.type === "table") screen.table.page(by, nowMs);
  else screen.page.top = Math.max(0, screen.page.top + by * Math.max(1, screen.page.height - 1));
}

function current(model: Model): Row | undefined {
  const { screen, nowMs } = model;
  if (screen.type === "table") return screen.table.current(nowMs);
  if (screen.type === "diagnosis") return model.find("links", screen.diagnosis.link);
  return screen.type === "detail" ? model.find(screen.kind, screen.name) : undefined;
}

function targets(model: Model): readonly Row[] {
  const { screen, nowMs } = model;
  if (screen.type === "table") return screen.table.targets(nowMs);
  const row = current(model);
  return row === undefined ? [] : [row];
}

/** From a host to its instances, from a lan to its ports, else to the details. */
function open(model: Model): void {
  const row = current(model);
  if (row?.kind === "hosts") {
    const scope = { title: row.id, host: row.id };
    model.push({ type: "table", table: new TableState(model.fleet, "instances", scope) });
  } else if (row?.kind === "lans") {
    const scope = { title: shortName(row.name), lan: row.name };
    model.push({ type: "table", table: new TableState(model.fleet, "ports", scope) });
  } else showDetails(model, false);
}

function showDetails(model: Model, yaml: boolean): void {
  const { screen } = model;
  if (screen.type === "detail") {
    model.pop();
    model.push({ ...screen, yaml, page: newPage() });
    return;
  }
  const row = current(model);
  if (row === undefined) return;
  const target = row.kind === "ports" ? findEndpoint(row.name) : { kind: row.kind, name: row.name };
  if (target !== undefined) model.push({ type: "detail", ...target, yaml, page: newPage() });
}

/** The resource behind an endpoint: the instance of a NIC, the link, or the in-line box. */
function findEndpoint(endpoint: string): { readonly kind: Kind; readonly name: string } | undefined {
  if (endpoint.startsWith("links/")) return { kind: "links", name: endpoint };
  const name = endpoint.split("/").slice(0, 4).join("/");
  const kind = kindOfName(name);
  return kind === "instances" || kind === "a2bs" ? { kind, name } : undefined;
}

function showEvents(model: Model): void {
  const row = current(model);
  if (row === undefined) return;
  const scope = { title: shortName(row.name), about: row.name };
  model.push({ type: "table", table: new TableState(model.fleet, "events", scope) });
}

/** One step back at a time: the error at the bottom, the marks, the filter, the screen. */
function back(model: Model): void {
  const { screen } = model;
  if (model.notice?.tone === "bad") model.notice = undefined;
  else if (screen.type === "table" && screen.table.marked.size > 0) screen.table.clearMarks();
  else if (screen.type === "table" && screen.table.filterText !== "") screen.table.setFilter("");
  else model.pop();
}

function beginFilter(model: Model): void {
  if (model.screen.type !== "table") return;
  const text = model.screen.table.filterText;
  model.prompt = { type: "filter", text, before: text };
}

function attach(model: Model, around: Surroundings): void {
  const row = current(model);
  if (row === undefined) return;
  around.attachConsole(row.name).catch((error: unknown) => {
    model.complain("tui.console_failed", row.name, `console of ${shortName(row.name)}: ${messageOf(error)}`);
    model.changed();
  });
}

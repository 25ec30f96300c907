import { messageOf } from "../../../lib/errors.js";
import { counted } from "../../../lib/words.js";
import type { Command } from "../../kit/keys/command.js";
import { parsePast } from "../../kit/input/past.js";
import { ownerOf } from "../../kit/map/graph.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { TableScope } from "../../kit/table/scope.js";
import { showResource } from "../detail/detail-screen.js";
import type { Program } from "../program.js";
import { TableScreen } from "../table/table-screen.js";
import { rowHere } from "../row-here.js";

/** Commands for what tells of others: events, and operations. */
export function eventCommands(program: Program): readonly Command[] {
  const { model } = program;
  const hasSubject = (): boolean => {
    const row = model.screen.subject();
    return row !== undefined && aboutOf(program, row) !== undefined;
  };
  return [
    {
      keys: ["o"],
      title: "go to what an event or an operation is about",
      group: "Look",
      hint: { word: "about", rank: 5 },
      when: hasSubject,
      run: () => showAbout(program),
    },
    {
      keys: ["@"],
      words: ["events-of"],
      argument: "10m | FROM..UNTIL",
      title: "events of a time: 10m, 2h..1h, 2026-01-31T10:00..2026-01-31T11:00; all",
      group: "Look",
      choices: () => ranges,
      hint: { word: "range", rank: 7, when: () => model.screen.kind?.log !== undefined },
      run: ({ argument }) => {
        if (argument === "") askRange(program);
        else showRange(program, argument);
      },
    },
    {
      keys: [],
      words: ["audit"],
      title: "who asked for what: events that somebody caused, the newest first",
      group: "Look",
      run: () => {
        const { log } = model.kinds;
        if (log !== undefined) model.openOnly(new TableScreen(program, log.kind, undefined, { filter: "caller!=" }));
      },
    },
  ];
}

/** Name of what an event or an operation is about; undefined where a row is about nothing else. */
function aboutOf({ model }: Program, row: Row): string | undefined {
  const { log } = model.kinds;
  const name = row.kind === log?.kind ? log.log.read(row.resource).about : targetOf(row);
  return name === "" ? undefined : name;
}

/** Operations have one. */
function targetOf({ resource }: Row): string | undefined {
  return "target" in resource && typeof resource.target === "string" ? resource.target : undefined;
}

function showAbout(program: Program): void {
  const { model } = program;
  const row = rowHere(model, "look for");
  const name = row === undefined ? undefined : aboutOf(program, row);
  if (name === undefined) return;
  const owner = ownerOf(name);
  const kind = model.kinds.findByName(owner);
  if (kind !== undefined && model.fleet.find(kind.kind, owner) !== undefined) showResource(program, owner);
  else if (model.kinds.log === undefined) model.say(`${shortName(name)} is not there any more`);
  else {
    model.say(`${shortName(name)} is not there any more; this is what happened to it`);
    program.openTable(model.kinds.log.kind, { title: shortName(name), about: name });
  }
}

/** Times that are offered. */
const ranges: readonly string[] = ["10m", "1h", "6h", "1d", "all"];

function askRange(program: Program): void {
  program.model.prompt = {
    ...{ type: "input", text: "", title: "events of the last 10m, 2h..1h, 2026-01-31T10:00..2026-01-31T11:00; all" },
    choices: ranges,
    go: (text) => showRange(program, text),
  };
}

/** Shows the events of a time, and reads those of it that the hub keeps. @throws {ZorError} when it is none. */
function showRange(program: Program, text: string): void {
  const { model } = program;
  const { log } = model.kinds;
  if (log === undefined) return;
  const during = text === "" || text === "all" ? undefined : parseRange(text, model.nowMs);
  const { screen } = model;
  // What narrows a table of something else says nothing of events.
  const events = screen instanceof TableScreen && screen.kind.log !== undefined ? screen.table : undefined;
  const [scope, filter] = [events?.scope, events?.filterText ?? ""];
  const { during: _, ...rest } = scope ?? { title: "" };
  const about = rest.about === undefined ? "" : `${shortName(rest.about)}, `;
  const title = during === undefined ? about.replace(", ", "") : `${about}${text}`;
  const next: TableScope | undefined =
    title === "" ? undefined : { ...rest, title, ...(during === undefined ? {} : { during }) };
  const table = new TableScreen(program, log.kind, next, { filter });
  if (model.screens.length === 1 && events !== undefined) model.openOnly(table);
  else {
    if (events !== undefined) model.pop();
    model.push(table);
  }
  if (during !== undefined) void readRange(program, during);
}

/** "10m", or "FROM..UNTIL". @throws {ZorError} */
function parseRange(text: string, nowMs: number): NonNullable<TableScope["during"]> {
  const [from = "", until] = text.split("..");
  const fromMs = parsePast("from", from, nowMs).getTime();
  const untilMs =
    until === undefined || until === "" ? Number.POSITIVE_INFINITY : parsePast("until", until, nowMs).getTime();
  return { fromMs: Math.min(fromMs, untilMs), untilMs: Math.max(fromMs, untilMs) };
}

async function readRange(program: Program, during: NonNullable<TableScope["during"]>): Promise<void> {
  const { model, signal } = program;
  model.say("reading events of that time");
  try {
    let added = 0;
    let isFull = false;
    for await (const events of program.eventsDuring(during, signal)) {
      const fresh = model.fleet.addHistory(events, model.nowMs);
      added += fresh;
      model.changed();
      // Whoever is full keeps what is newer.
      isFull = model.fleet.table(model.kinds.log?.kind ?? "").size >= (model.kinds.log?.log.limit ?? 0);
      if (isFull) break;
    }
    const more = isFull ? "; there is no room for more" : "";
    model.say(
      added === 0 ? `nothing else is kept of that time${more}` : `${counted(added, "more event")} of that time${more}`,
    );
  } catch (error) {
    if (signal.aborted) return;
    model.say(`events of that time cannot be read: ${messageOf(error)}`, "warn");
  }
  model.changed();
}

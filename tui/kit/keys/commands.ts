import type { Kind, TableKind } from "../row.js";

/** What a key does. */
export type CommandId =
  | "up"
  | "down"
  | "pageUp"
  | "pageDown"
  | "first"
  | "last"
  | "open"
  | "back"
  | "describe"
  | "yaml"
  | "events"
  | "diagnose"
  | "command"
  | "filter"
  | "help"
  | "mark"
  | "markAll"
  | "start"
  | "stop"
  | "pause"
  | "reset"
  | "delete"
  | "console"
  | "resync"
  | "redraw"
  | "suspend"
  | "quit"
  | `table:${Kind}`;

/** Where the keys are pressed. */
export interface KeyContext {
  readonly screen: "table" | "detail" | "diagnosis" | "help";
  /** Kind of the table, or of the resource described. */
  readonly kind: TableKind | undefined;
  readonly readOnly: boolean;
}

/** One line of the key table; help and footer are made of it. */
export interface Command {
  readonly id: CommandId;
  /** The first is the one that is shown. */
  readonly keys: readonly string[];
  readonly title: string;
  readonly group: "Move" | "Look" | "Act" | "Program";
  /** Short form for the footer; without it the command is only in the help. */
  readonly hint?: string;
  /** Asks something of the fleet: never bound in read-only mode. */
  readonly changes?: boolean;
  /** Always confirmed; others only when they change more than one thing. */
  readonly dangerous?: boolean;
  readonly when?: (context: KeyContext) => boolean;
}

const onTable = (context: KeyContext) => context.screen === "table";
const onKinds =
  (...kinds: readonly TableKind[]) =>
  (context: KeyContext) =>
    context.screen !== "help" && context.kind !== undefined && kinds.includes(context.kind);
const onDeletable = onKinds("hosts", "instances", "lans", "links", "a2bs");
/** Marks are for what can be acted on. */
const onMarkable = (context: KeyContext) => onTable(context) && onDeletable(context);
const onInstances = onKinds("instances");

/** Every key. */
export const commands: readonly Command[] = [
  { id: "up", keys: ["up", "k"], title: "one line up", group: "Move" },
  { id: "down", keys: ["down", "j"], title: "one line down", group: "Move" },
  { id: "pageUp", keys: ["pgup", "ctrl-b"], title: "one screen up", group: "Move" },
  { id: "pageDown", keys: ["pgdn", "ctrl-f"], title: "one screen down", group: "Move" },
  { id: "first", keys: ["home", "g"], title: "to the first line", group: "Move" },
  { id: "last", keys: ["end", "G"], title: "to the last line", group: "Move" },
  {
    id: "open",
    keys: ["enter"],
    title: "open: a host's instances, a lan's ports, else the details",
    group: "Look",
    hint: "open",
    when: onTable,
  },
  { id: "back", keys: ["esc"], title: "back; first drops marks and filter", group: "Look", hint: "back" },
  {
    id: "filter",
    keys: ["/"],
    title: "filter: words, key=value, key!=value, !word",
    group: "Look",
    hint: "filter",
    when: onTable,
  },
  {
    id: "diagnose",
    keys: ["D"],
    title: "diagnose a link: test each hop, say which is broken",
    group: "Look",
    hint: "diagnose",
    when: onKinds("links"),
  },
  { id: "command", keys: [":"], title: "command line; tab completes", group: "Look", hint: "command" },
  { id: "table:hosts", keys: ["1"], title: "hosts", group: "Look" },
  { id: "table:instances", keys: ["2"], title: "instances", group: "Look" },
  { id: "table:lans", keys: ["3"], title: "lans", group: "Look" },
  { id: "table:links", keys: ["4"], title: "links", group: "Look" },
  { id: "table:operations", keys: ["5"], title: "operations", group: "Look" },
  { id: "table:events", keys: ["6"], title: "events", group: "Look" },
  { id: "table:a2bs", keys: ["7"], title: "a2bs", group: "Look" },
  {
    id: "start",
    keys: ["s"],
    title: "start",
    group: "Act",
    hint: "start",
    changes: true,
    when: onInstances,
  },
  {
    id: "stop",
    keys: ["x"],
    title: "stop at once, as if the power were cut",
    group: "Act",
    hint: "stop",
    changes: true,
    dangerous: true,
    when: onInstances,
  },
  {
    id: "pause",
    keys: ["p"],
    title: "pause, or resume what is paused",
    group: "Act",
    hint: "pause",
    changes: true,
    when: onInstances,
  },
  {
    id: "reset",
    keys: ["r"],
    title: "reset, as the reset button does",
    group: "Act",
    changes: true,
    dangerous: true,
    when: onInstances,
  },
  {
    id: "console",
    keys: ["c"],
    title: "attach to the console; Ctrl-] comes back",
    group: "Act",
    hint: "console",
    changes: true,
    when: onInstances,
  },
  {
    id: "delete",
    keys: ["ctrl-d"],
    title: "delete, after showing what that takes along",
    group: "Act",
    hint: "delete",
    changes: true,
    dangerous: true,
    when: onDeletable,
  },
  {
    id: "mark",
    keys: ["space"],
    title: "mark; marked rows are acted on together",
    group: "Act",
    hint: "mark",
    when: onMarkable,
  },
  { id: "markAll", keys: ["ctrl-a"], title: "mark all rows the filter shows, or none", group: "Act", when: onMarkable },
  {
    id: "describe",
    keys: ["d"],
    title: "describe what is under the cursor",
    group: "Look",
    hint: "describe",
    when: (context) => context.screen !== "help",
  },
  { id: "yaml", keys: ["y"], title: "the same as YAML", group: "Look", when: (context) => context.screen !== "help" },
  {
    id: "events",
    keys: ["e"],
    title: "events of what is under the cursor",
    group: "Look",
    hint: "events",
    when: onDeletable,
  },
  { id: "help", keys: ["?"], title: "this help", group: "Program", hint: "help" },
  { id: "resync", keys: ["ctrl-r"], title: "read everything from the hub again", group: "Program" },
  { id: "redraw", keys: ["ctrl-l"], title: "draw the screen again", group: "Program" },
  { id: "suspend", keys: ["ctrl-z"], title: "back to the shell; fg comes back here", group: "Program" },
  { id: "quit", keys: ["q"], title: "close this screen; quits on the first", group: "Program" },
];

/** The commands that can be given here. */
export function availableCommands(context: KeyContext): readonly Command[] {
  return commands.filter(
    (command) =>
      !(context.readOnly && command.changes === true) && (command.when === undefined || command.when(context)),
  );
}

/** The command a key stands for here. */
export function findCommand(chord: string, context: KeyContext): Command | undefined {
  return availableCommands(context).find((command) => command.keys.includes(chord));
}

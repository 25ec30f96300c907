import { type Command, commandId, lineOf } from "../kit/keys/command.js";
import { keymapFaults, type PlacedCommand, whyNoKey } from "../kit/keys/keymap.js";
import { everyCommand } from "../screens/every-command.js";
import type { Program } from "../screens/program.js";

/** Width of the column of ids and keys. */
const idWidth = 44;

/** All that can be bound, as it is bound now, in the form of keys.yaml. */
export function keymapText(program: Program): string {
  const { keys } = program.settings.values;
  const lines = ["# What can be bound in keys.yaml, by where it is bound; keys as they are now."];
  const told = new Set<string>();
  let place = "";
  for (const { place: here, command } of everyCommand(program)) {
    const id = commandId(command);
    // What ends or stops the program is not anybody's to bind.
    const isFixed = command.keys.length > 0 && command.keys.every((key) => whyNoKey(key) !== undefined);
    if (told.has(id) || isFixed) continue;
    told.add(id);
    if (here !== place) lines.push("", `# ${here}`);
    place = here;
    const bound = (Object.hasOwn(keys, id) ? keys[id] : undefined) ?? command.keys;
    lines.push(`${`${id}: [${bound.map(quoted).join(", ")}]`.padEnd(idWidth)} # ${command.title}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Letters and digits alone need no quotes: all else may mean something in YAML, and so may y and n. */
function quoted(key: string): string {
  return /^(?![yn]$)[a-z][a-z-]*$/.test(key) ? key : JSON.stringify(key);
}

/** What in the user's files of keys cannot be meant: "keys.yaml:3:1 start: what is wrong and what to do". */
export async function keyFaults(program: Program): Promise<readonly string[]> {
  const { settings } = program;
  const { keys, hotkeys } = settings.values;
  if (Object.keys(keys).length + Object.keys(hotkeys).length === 0) return [];
  const found = keymapFaults(everyCommand(program), keys, hotkeys);
  return await Promise.all(
    found.map(async ({ file, key, text }) => `${await settings.placeOf(file, [key])} ${key}: ${text}`),
  );
}

/** A page of all keys for the documents. */
export function keysPage(placed: readonly PlacedCommand[]): string {
  const places = [...new Set(placed.map(({ place }) => place))];
  const sections = places.map((place) => {
    const commands = placed.filter((each) => each.place === place).map(({ command }) => command);
    const rows = new Map(commands.map((command) => [commandId(command), rowOf(command)]));
    return [
      `## ${place.charAt(0).toUpperCase()}${place.slice(1)}`,
      "",
      "| key | what it does | word | id |",
      "| --- | --- | --- | --- |",
      ...rows.values(),
      "",
    ].join("\n");
  });
  return sections.join("\n");
}

function rowOf(command: Command): string {
  const { keys, title, dangerous, changes } = command;
  const shown = keys.map((key) => `\`${key === "|" ? "\\|" : key === "`" ? "backtick" : key}\``).join(" ");
  const typed = lineOf(command);
  const line = typed === undefined ? "" : `\`:${typed.replaceAll("|", "\\|")}\``;
  const note = dangerous === true ? " (asks first)" : changes === true ? " (not in read-only mode)" : "";
  return `| ${shown} | ${title.replaceAll("|", "\\|")}${note} | ${line} | \`${commandId(command)}\` |`;
}

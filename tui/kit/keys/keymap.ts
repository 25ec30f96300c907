import { nearest } from "../../../lib/nearest.js";
import { type Command, commandId } from "./command.js";

/** Keys of commands by their ids, as a user wants them; no keys: by the command line only. */
export type Keymap = Readonly<Record<string, readonly string[]>>;

/** Lines of the command line by the keys that run them. */
export type Hotkeys = Readonly<Record<string, string>>;

/** A command with where it is bound: "everywhere", "on instances", "on the map". */
export interface PlacedCommand {
  readonly place: string;
  readonly command: Command;
}

/** What is bound on every screen. */
export const everywhere = "everywhere";

const namedKeys = new Set([
  ...["up", "down", "left", "right", "pgup", "pgdn", "home", "end"],
  ...["enter", "esc", "tab", "shift-tab", "space", "backspace"],
]);
/** Keys that end or stop the program, whatever a file says. */
const reserved = new Set(["ctrl-c", "ctrl-z"]);

/** Why a text is no key that something can be bound to; undefined: it is one. */
export function whyNoKey(text: string): string | undefined {
  if (reserved.has(text)) return `${text} ends or stops the program and cannot be bound`;
  if (namedKeys.has(text) || /^ctrl-[a-z\\\]^_@[]$/.test(text) || /^\S$/u.test(text)) return undefined;
  return `"${text}" is no key; keys are single characters, ctrl-a to ctrl-z, and ${[...namedKeys].join(", ")}`;
}

/** The commands with the user's keys, those of the user first: of commands with the same key the first is meant. */
export function withKeymap(commands: readonly Command[], keymap: Keymap): readonly Command[] {
  const chosen: Command[] = [];
  const usual: Command[] = [];
  for (const command of commands) {
    const id = commandId(command);
    const keys = Object.hasOwn(keymap, id) ? keymap[id] : undefined;
    if (keys === undefined) usual.push(command);
    else chosen.push({ ...command, keys });
  }
  return [...chosen, ...usual];
}

/** A command for each hotkey. @param run does what a line of the command line says. */
export function hotkeyCommands(hotkeys: Hotkeys, run: (line: string) => void): readonly Command[] {
  return Object.entries(hotkeys).map(([key, line]) => ({
    id: `hotkey.${key}`,
    keys: [key],
    title: `:${line}`,
    group: "Program",
    run: () => run(line),
  }));
}

/** What in a user's keys cannot be meant, each with the id or key that it is about and what to do. */
export function keymapFaults(
  placed: readonly PlacedCommand[],
  keymap: Keymap,
  hotkeys: Hotkeys,
): readonly { readonly file: "keys" | "hotkeys"; readonly key: string; readonly text: string }[] {
  const ids = new Set(placed.map(({ command }) => commandId(command)));
  const unknown = Object.keys(keymap)
    .filter((id) => !ids.has(id))
    .map((id) => {
      const near = nearest(id, ids);
      const meant = near === undefined ? "" : `; did you mean ${near}?`;
      return {
        file: "keys",
        key: id,
        text: `there is no command "${id}"${meant} zor tui --print-keymap lists them`,
      } as const;
    });
  const bound = placed.map(({ place, command }) => {
    const id = commandId(command);
    return { place, id, keys: Object.hasOwn(keymap, id) ? (keymap[id] ?? []) : command.keys };
  });
  const meets = (one: string, other: string) => one === other || one === everywhere || other === everywhere;
  const othersOf = (key: string, id: string, place: string): readonly string[] => [
    ...new Set(
      bound
        .filter((other) => other.id !== id && other.keys.includes(key) && meets(other.place, place))
        .map((other) => other.id),
    ),
  ];
  const twice = bound
    .filter(({ id }) => Object.hasOwn(keymap, id))
    .flatMap(({ id, place, keys }) =>
      keys.flatMap((key) =>
        othersOf(key, id, place).map((other) => ({
          file: "keys" as const,
          key: id,
          text: `${key} is bound to ${other} as well (${place}); ${id} has it now, give ${other} another key`,
        })),
      ),
    );
  const hot = Object.keys(hotkeys).flatMap((key) =>
    othersOf(key, "", everywhere).map((other) => ({
      file: "hotkeys" as const,
      key,
      text: `${key} is bound to ${other} as well; the hotkey has it now, give ${other} another key in keys.yaml`,
    })),
  );
  return [...new Map([...unknown, ...twice, ...hot].map((fault) => [fault.text, fault])).values()];
}

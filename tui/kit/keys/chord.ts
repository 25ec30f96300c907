/** The part of Ink's key description that is used; a structural type, so that this module knows no Ink. */
export interface KeyFacts {
  readonly upArrow: boolean;
  readonly downArrow: boolean;
  readonly leftArrow: boolean;
  readonly rightArrow: boolean;
  readonly pageUp: boolean;
  readonly pageDown: boolean;
  readonly home: boolean;
  readonly end: boolean;
  readonly return: boolean;
  readonly escape: boolean;
  readonly tab: boolean;
  readonly backspace: boolean;
  readonly delete: boolean;
  readonly ctrl: boolean;
  readonly meta: boolean;
  readonly shift: boolean;
}

const named: readonly (readonly [keyof KeyFacts, string])[] = [
  ["upArrow", "up"],
  ["downArrow", "down"],
  ["leftArrow", "left"],
  ["rightArrow", "right"],
  ["pageUp", "pgup"],
  ["pageDown", "pgdn"],
  ["home", "home"],
  ["end", "end"],
  ["return", "enter"],
  ["escape", "esc"],
  ["backspace", "backspace"],
  // Most terminals send DEL for the backspace key; Ink calls that "delete".
  ["delete", "backspace"],
];

const controls: Readonly<Record<string, string>> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x1b": "esc",
};

/**
 * Keys as this program names them: "j", "G", "space", "enter", "ctrl-d". What arrives in one piece because it was typed
 * faster than it was read comes out as several.
 */
export function chordsOf(input: string, key: KeyFacts): readonly string[] {
  // On a slow line escape arrives together with the key typed after it, and looks like that key with Alt: neither may be lost.
  const before = key.meta && (key.return || key.escape || key.backspace || key.delete) ? ["esc"] : [];
  for (const [fact, name] of named) if (key[fact]) return [...before, name];
  if (key.tab) return [key.shift ? "shift-tab" : "tab"];
  if (key.ctrl) return input === "" ? [] : [`ctrl-${input.toLowerCase()}`];
  // What begins with these is a longer sequence that nobody knows.
  if (key.meta) return [...input].length === 1 && !/[[O\]]/.test(input) ? ["esc", chordOf(input)] : [];
  return [...input].map(chordOf);
}

function chordOf(character: string): string {
  if (character === " ") return "space";
  const control = controls[character];
  if (control !== undefined) return control;
  const code = character.codePointAt(0) ?? 0;
  // Behind the letters: ctrl-\\, ctrl-], ctrl-^ and ctrl-_.
  return code < 0x20 ? `ctrl-${String.fromCharCode(code + (code > 0x1a ? 0x40 : 0x60))}` : character;
}

/** The text a key adds to a prompt; undefined for keys that are no text. */
export function textOf(chord: string): string | undefined {
  if (chord === "space") return " ";
  return [...chord].length === 1 ? chord : undefined;
}

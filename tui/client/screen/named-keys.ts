import { invalidArgument } from "../../../lib/errors.js";
import type { KeyPress } from "./keyboard.js";

/** Keys that are held, by their names, as X11 keysyms. */
const modifiers: Readonly<Record<string, number>> = {
  ...{ ctrl: 0xffe3, control: 0xffe3, alt: 0xffe9, shift: 0xffe1, super: 0xffeb, win: 0xffeb, altgr: 0xfe03 },
};

/** Keys that have no character, likewise. */
const named: Readonly<Record<string, number>> = {
  ...{ delete: 0xffff, del: 0xffff, backspace: 0xff08, tab: 0xff09, enter: 0xff0d, return: 0xff0d, escape: 0xff1b },
  ...{ esc: 0xff1b, space: 0x20, insert: 0xff63, home: 0xff50, end: 0xff57, pageup: 0xff55, pagedown: 0xff56 },
  ...{ up: 0xff52, down: 0xff54, left: 0xff51, right: 0xff53, print: 0xff61, sysrq: 0xff15, pause: 0xff13 },
  ...{ break: 0xff6b, menu: 0xff67, capslock: 0xffe5, numlock: 0xff7f, scrolllock: 0xff14 },
  ...Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`f${at + 1}`, 0xffbe + at])),
};

/** Those that are asked for most. */
export const commonKeys = [
  ...["ctrl-alt-delete", "ctrl-alt-backspace", "alt-tab", "alt-f4", "alt-sysrq-b", "super", "print"],
  ...Array.from({ length: 7 }, (_, at) => `ctrl-alt-f${at + 1}`),
];

/** Keys to be pressed together, as people write them: "ctrl-alt-delete", "f2", "alt-sysrq-b". @throws {ZorError} INVALID_ARGUMENT */
export function parseKeys(text: string): KeyPress {
  const words = text.trim().toLowerCase().split(/[-+]/);
  const keys = words.map((word) => {
    const key = modifiers[word] ?? named[word] ?? characterKey(word);
    if (key === undefined) {
      throw invalidArgument(
        "keys",
        `there is no key ${JSON.stringify(word)}: for example ctrl-alt-delete, alt-sysrq-b, ctrl-alt-f2, a`,
      );
    }
    return key;
  });
  return { key: keys.at(-1) ?? 0, held: keys.slice(0, -1) };
}

function characterKey(word: string): number | undefined {
  return /^[\x21-\x7e]$/.test(word) ? word.charCodeAt(0) : undefined;
}

import { StringDecoder } from "node:string_decoder";

/** A key to be pressed while others are held, by X11 keysyms. */
export interface KeyPress {
  readonly key: number;
  readonly held: readonly number[];
}

/** The one key that is not for the guest: Ctrl-]. */
const leave = "\x1d";
const escapeKey = "\x1b";
const [shift, control, alt] = [0xffe1, 0xffe3, 0xffe9];
const named = { backspace: 0xff08, tab: 0xff09, return: 0xff0d, escape: 0xff1b } as const;
/** Last letter of CSI and SS3 sequences. */
const letters: Readonly<Record<string, number>> = {
  ...{ A: 0xff52, B: 0xff54, C: 0xff53, D: 0xff51, H: 0xff50, F: 0xff57 },
  ...{ P: 0xffbe, Q: 0xffbf, R: 0xffc0, S: 0xffc1, Z: named.tab },
};
/** Numbers of CSI sequences that end in "~". */
const numbers: Readonly<Record<string, number>> = {
  ...{ 1: 0xff50, 2: 0xff63, 3: 0xffff, 4: 0xff57, 5: 0xff55, 6: 0xff56, 7: 0xff50, 8: 0xff57 },
  ...{ 11: 0xffbe, 12: 0xffbf, 13: 0xffc0, 14: 0xffc1, 15: 0xffc2, 17: 0xffc3, 18: 0xffc4, 19: 0xffc5, 20: 0xffc6 },
  ...{ 21: 0xffc7, 23: 0xffc8, 24: 0xffc9 },
};
/** Characters that an American keyboard needs Shift for: a guest is told of keys, not of characters. */
const shifted = /[A-Z~!@#$%^&*()_+{}|:"<>?]/;
const sequence = /^\x1b(?:\[(\d*)(?:;(\d+))?([A-Za-z~])|O([A-Z]))/;

/** Turns what a terminal sends into keys. */
export class Keyboard {
  readonly #decoder = new StringDecoder("utf8");

  /** The keys of what was typed, in order; `left`: Ctrl-] was pressed, what came after it is dropped. */
  read(typed: Uint8Array): { readonly keys: readonly KeyPress[]; readonly left: boolean } {
    const keys: KeyPress[] = [];
    let text = this.#decoder.write(Buffer.from(typed));
    while (text !== "") {
      if (text.startsWith(leave)) return { keys, left: true };
      const { press, length } = next(text);
      if (press !== undefined) keys.push(press);
      text = text.slice(length);
    }
    return { keys, left: false };
  }
}

function next(text: string): { readonly press?: KeyPress | undefined; readonly length: number } {
  const found = sequence.exec(text);
  if (found !== null) return { press: fromSequence(found), length: found[0].length };
  const [first = "", second] = text;
  if (first === escapeKey && second !== undefined && second !== escapeKey && second !== leave) {
    // A terminal sends Escape before what is typed with Alt.
    const { key, held } = fromCharacter(second);
    return { press: { key, held: [alt, ...held] }, length: 1 + second.length };
  }
  return { press: fromCharacter(first), length: first.length };
}

function fromSequence([, number = "", modifiers = "1", last = "", letter = ""]: RegExpExecArray): KeyPress | undefined {
  const key = last === "~" ? numbers[number] : letters[last || letter];
  if (key === undefined) return undefined;
  const bits = last === "Z" ? 1 : Number(modifiers) - 1;
  return {
    key,
    held: [[shift, 1] as const, [alt, 2] as const, [control, 4] as const].flatMap(([held, bit]) =>
      (bits & bit) === 0 ? [] : [held],
    ),
  };
}

function fromCharacter(character: string): KeyPress {
  const code = character.codePointAt(0) ?? 0;
  if (character === "\r" || character === "\n") return { key: named.return, held: [] };
  if (character === "\t") return { key: named.tab, held: [] };
  if (character === "\x7f" || character === "\b") return { key: named.backspace, held: [] };
  if (character === escapeKey) return { key: named.escape, held: [] };
  if (code === 0) return { key: 0x20, held: [control] };
  // Ctrl with a letter, or with what follows "Z".
  if (code < 0x20) return { key: code < 27 ? code + 0x60 : code + 0x40, held: [control] };
  // X11: Latin-1 is itself, all others by their number.
  return { key: code < 0x100 ? code : 0x1000000 + code, held: shifted.test(character) ? [shift] : [] };
}

/** The key that is not for the guest: Ctrl-]. */
export const prefixKey = "\x1d";

const pasteStart = "\x1b[200~";
const pasteEnd = "\x1b[201~";
/** What may still become the mark at which a paste begins; the escape key alone is not waited with. */
const startBegun = /\x1b\[20{0,2}$/;

/** A part of what is typed. */
export type Typed =
  | { readonly type: "keys"; readonly data: string }
  /** A part of what is pasted, or the end of that. */
  | { readonly type: "paste"; readonly data: string; readonly isFirst: boolean; readonly isLast: boolean };

/** Takes apart what a terminal sends: keys, what is pasted, and the key that is not for the guest. */
export class TypedKeys {
  #held = "";
  #isPasting = false;

  /** `rest` is what came behind the key that is not for the guest; undefined: that was not pressed. */
  read(data: string): { readonly typed: readonly Typed[]; readonly rest: string | undefined } {
    const typed: Typed[] = [];
    let text = this.#held + data;
    this.#held = "";
    while (text !== "") {
      if (this.#isPasting) {
        text = this.#readPaste(text, typed);
        continue;
      }
      const start = text.indexOf(pasteStart);
      const keys = start < 0 ? text : text.slice(0, start);
      const prefix = keys.indexOf(prefixKey);
      if (prefix >= 0) {
        addKeys(typed, keys.slice(0, prefix));
        return { typed, rest: text.slice(prefix + prefixKey.length) };
      }
      if (start < 0) {
        const held = startBegun.exec(keys)?.[0] ?? "";
        this.#held = held;
        addKeys(typed, keys.slice(0, keys.length - held.length));
        break;
      }
      addKeys(typed, keys);
      typed.push({ type: "paste", data: "", isFirst: true, isLast: false });
      this.#isPasting = true;
      text = text.slice(start + pasteStart.length);
    }
    return { typed, rest: undefined };
  }

  #readPaste(text: string, typed: Typed[]): string {
    const end = text.indexOf(pasteEnd);
    if (end >= 0) {
      typed.push({ type: "paste", data: text.slice(0, end), isFirst: false, isLast: true });
      this.#isPasting = false;
      return text.slice(end + pasteEnd.length);
    }
    const held = lengthBegun(text, pasteEnd);
    this.#held = text.slice(text.length - held);
    const data = text.slice(0, text.length - held);
    if (data !== "") typed.push({ type: "paste", data, isFirst: false, isLast: false });
    return "";
  }
}

function addKeys(typed: Typed[], data: string): void {
  if (data !== "") typed.push({ type: "keys", data });
}

/** How much of a mark stands at the end of a text. */
function lengthBegun(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}

/** Keys as the guest wants them: arrows, home and end of applications are others. */
export function keysForGuest(data: string, wantsApplicationKeys: boolean): string {
  return wantsApplicationKeys ? data.replace(/\x1b\[([ABCDFH])/g, "\x1bO$1") : data;
}

/** What is pasted as a terminal sends it: lines end as the enter key ends them, and nothing in it acts as the end of the paste. */
export function pasteForGuest(data: string): string {
  return data.replace(/\r?\n/g, "\r").replaceAll("\x1b", "");
}

/** What a mouse did. */
export type MouseEvent =
  | { readonly type: "press"; readonly column: number; readonly line: number }
  | { readonly type: "wheel"; readonly column: number; readonly line: number; readonly by: 1 | -1 };

const report = /\x1b\[<(\d{1,4};\d{1,5};\d{1,5})([Mm])/g;
/** What may be the beginning of one. */
const begun = /\x1b(\[(<[\d;]{0,16})?)?$/;

/**
 * Takes the reports of a mouse (SGR, mode 1006) out of what a terminal sends; all else is left in its order. Places are counted from 0.
 * A report that comes in two pieces is put together.
 */
export class MouseReader {
  #kept = "";

  read(data: string): { readonly events: readonly MouseEvent[]; readonly rest: string } {
    const whole = this.#kept + data;
    this.#kept = "";
    const events: MouseEvent[] = [];
    const rest = whole.replace(report, (_, numbers: string, end: string) => {
      const [code = 0, x = 0, y = 0] = numbers.split(";").map(Number);
      const event = eventOf(code, { column: x - 1, line: y - 1 }, end === "M");
      if (event !== undefined) events.push(event);
      return "";
    });
    const [half] = begun.exec(rest) ?? [];
    // An escape alone, or with a bracket, is a key of somebody: it is not held back.
    if (half === undefined || half.length < 3) return { events, rest };
    this.#kept = half;
    return { events, rest: rest.slice(0, -half.length) };
  }
}

function eventOf(
  code: number,
  place: { readonly column: number; readonly line: number },
  isDown: boolean,
): MouseEvent | undefined {
  // Bits 2 to 4 are shift, alt and control.
  const button = code & ~0b11100;
  if (button === 64 || button === 65) return { type: "wheel", ...place, by: button === 64 ? -1 : 1 };
  return button === 0 && isDown ? { type: "press", ...place } : undefined;
}

/** Tells a second press at the same place from two. */
export class DoublePress {
  #last: { readonly at: string; readonly ms: number } | undefined;

  isSecond({ column, line }: { readonly column: number; readonly line: number }, nowMs: number): boolean {
    const at = `${column} ${line}`;
    const isSecond = this.#last?.at === at && nowMs - this.#last.ms <= 400;
    this.#last = isSecond ? undefined : { at, ms: nowMs };
    return isSecond;
  }
}

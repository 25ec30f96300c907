import { DoublePress, type MouseEvent, MouseReader } from "../kit/mouse/reports.js";
import type { BodyLine } from "../kit/screen.js";
import type { Program } from "../screens/program.js";

/** Lines that the wheel goes on by. */
const wheelLines = 3;

/** Turns what the mouse does into what it points at: a place of the body, or keys where a screen does not know better. */
export class Clicks {
  readonly #program: Program;
  readonly #press: (chord: string) => void;
  readonly #reader = new MouseReader();
  readonly #double = new DoublePress();
  #body: { readonly top: number; readonly lines: readonly BodyLine[] } = { top: 0, lines: [] };

  constructor(program: Program, press: (chord: string) => void) {
    this.#program = program;
    this.#press = press;
  }

  /** Where the body is on the screen, as it was drawn last. */
  drawn(top: number, lines: readonly BodyLine[]): void {
    this.#body = { top, lines };
  }

  /** Takes what the mouse says out of what the terminal sends, while the mouse is on. */
  take(data: string): string {
    if (!this.#program.mouse.isOn) return data;
    const { events, rest } = this.#reader.read(data);
    // What has to be answered first is answered by keys.
    if (this.#program.model.prompt === undefined) for (const event of events) this.#do(event);
    return rest;
  }

  #do(event: MouseEvent): void {
    const { model } = this.#program;
    const line = event.line - this.#body.top;
    if (line < 0 || line >= this.#body.lines.length) return;
    if (event.type === "wheel") {
      for (let turn = 0; turn < wheelLines; turn += 1) this.#press(event.by < 0 ? "up" : "down");
      return;
    }
    const isDouble = this.#double.isSecond(event, model.nowMs);
    const { screen } = model;
    model.hush();
    if (screen.click !== undefined) screen.click({ column: event.column, line, isDouble });
    else this.#point(line, isDouble);
    model.changed();
  }

  /** To the line that was pressed, by the keys that lead there. */
  #point(line: number, isDouble: boolean): void {
    const at = this.#body.lines.findIndex(({ selected }) => selected === true);
    if (at < 0) return;
    if (isDouble && at === line) this.#press("enter");
    for (let step = 0; step < Math.abs(line - at); step += 1) this.#press(line < at ? "up" : "down");
  }
}

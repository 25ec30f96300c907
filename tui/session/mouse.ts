import type { Mouse } from "../screens/program.js";

const on = "\x1b[?1000h\x1b[?1006h";
const off = "\x1b[?1006l\x1b[?1000l";

/** The reports of the terminal's mouse: only while they are wanted, and never while another program has the terminal. */
export class TerminalMouse implements Mouse {
  readonly #write: (data: string) => void;
  #isOn = false;

  constructor(write: (data: string) => void) {
    this.#write = write;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  set(isOn: boolean): void {
    if (isOn !== this.#isOn) this.#write(isOn ? on : off);
    this.#isOn = isOn;
  }

  /** Gives the terminal to somebody else while `work` runs. */
  async away(work: () => Promise<void>): Promise<void> {
    if (this.#isOn) this.#write(off);
    try {
      await work();
    } finally {
      if (this.#isOn) this.#write(on);
    }
  }
}

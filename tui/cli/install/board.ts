import { understandsEscapes } from "../../../lib/terminal.js";
import { escapeText } from "../../kit/text/escape.js";
import { cutText } from "../../kit/text/text-width.js";
import { ToldSteps } from "../output/told-steps.js";
import type { CliIo } from "../session.js";

/** What is seen of one host while it is worked on. */
export interface BoardRow {
  readonly name: string;
  /** What is being done, or was done last. */
  step: string;
  /** Seconds until now, or until it was done. */
  seconds: number;
  /** "": it is under way, or has not begun. */
  result: string;
}

/** Where it is seen how hosts are worked on. */
export interface HostBoard extends Disposable {
  add(name: string): BoardRow;
  /** A row goes on to its next step. */
  step(row: BoardRow, step: string): void;
  /** A row is through. */
  done(row: BoardRow, result: string, seconds: number): void;
  /** While somebody is asked, nothing is drawn. */
  pausedFor<T>(ask: () => Promise<T>): Promise<T>;
}

const everyMs = 200;
const nameWidth = 20;
/** Fewer rows than a terminal has lines: what scrolls off cannot be written again. */
const spareLines = 3;

/** Shows rows as they change: a table in place on a terminal, a line for each step or tenth of one elsewhere. */
export class Board implements HostBoard {
  readonly #io: CliIo;
  readonly #rows: BoardRow[] = [];
  readonly #startedMs = new Map<BoardRow, number>();
  readonly #told = new Map<BoardRow, ToldSteps>();
  readonly #isLive: boolean;
  readonly #timer: NodeJS.Timeout | undefined;
  #drawn = 0;
  #paused = false;

  constructor(io: CliIo, isQuiet: boolean) {
    this.#io = io;
    this.#isLive = !isQuiet && io.errors.isTTY === true && understandsEscapes(io.env);
    if (this.#isLive) this.#timer = setInterval(() => this.#draw(), everyMs);
    this.#isQuiet = isQuiet;
  }
  readonly #isQuiet: boolean;

  add(name: string): BoardRow {
    const row = { name, step: "waits", seconds: 0, result: "" };
    this.#rows.push(row);
    this.#told.set(row, new ToldSteps());
    return row;
  }

  step(row: BoardRow, step: string): void {
    if (!this.#startedMs.has(row)) this.#startedMs.set(row, performance.now());
    if (row.step === step) return;
    row.step = step;
    if (this.#isLive || this.#isQuiet || this.#told.get(row)?.isTold(step) === false) return;
    this.#io.errors.write(`${escapeText(`${row.name}: ${step}`)}\n`);
  }

  done(row: BoardRow, result: string, seconds: number): void {
    row.seconds = seconds;
    this.#startedMs.delete(row);
    row.result = result;
    if (!this.#isLive && !this.#isQuiet)
      this.#io.errors.write(`${escapeText(`${row.name}: ${result}`)} (${row.seconds.toFixed(1)} s)\n`);
  }

  async pausedFor<T>(ask: () => Promise<T>): Promise<T> {
    this.#draw();
    this.#paused = true;
    this.#drawn = 0;
    try {
      return await ask();
    } finally {
      this.#paused = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#draw(true);
  }

  #secondsOf(row: BoardRow): number {
    const started = this.#startedMs.get(row);
    return started === undefined ? row.seconds : (performance.now() - started) / 1000;
  }

  #draw(isLast = false): void {
    if (!this.#isLive || this.#paused) return;
    const { columns = 80, rows = 24 } = this.#io.errors;
    const most = isLast ? this.#rows.length : Math.max(1, rows - spareLines);
    // Those under way first, when not all can be seen.
    const under = this.#rows.filter((row) => row.result === "" && row.step !== "waits");
    const shown = this.#rows.length <= most ? this.#rows : under.slice(0, most);
    const width = Math.min(nameWidth, Math.max(4, ...this.#rows.map(({ name }) => name.length)));
    const lines = shown.map((row) => {
      const seconds = `${this.#secondsOf(row).toFixed(0)} s`.padStart(6);
      return cutText(
        escapeText(`${cutText(row.name, width).padEnd(width)} ${seconds}  ${row.result || row.step}`),
        columns - 1,
      );
    });
    const done = this.#rows.filter(({ result }) => result !== "").length;
    if (!isLast) lines.push(`${done} of ${this.#rows.length} done`);
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    this.#io.errors.write(`${up}${lines.map((line) => `\r${line}\x1b[K\n`).join("")}\x1b[J`);
    this.#drawn = lines.length;
  }
}

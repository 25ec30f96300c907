import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import { type ChartLook, courseCharts, courseRows, momentText, stepOf } from "../../kit/chart/course-chart.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import type { Line } from "../../kit/text/segment.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

const minute = 60_000;
/** Times that are shown, in minutes, and what they are called. */
const spans = [
  { minutes: 10, word: "10 minutes" },
  { minutes: 60, word: "an hour" },
  { minutes: 6 * 60, word: "6 hours" },
  { minutes: 24 * 60, word: "a day" },
] as const;
/** Points come each 10 s when nobody looks at what is used now. */
const everyMs = 10_000;
const maxPoints = 400;
/** Rows of a large chart where there is little room, and where there is much. */
const [fewRows, manyRows] = [6, 10] as const;

/** What a resource used lately, in charts that go on; leaving the screen ends that. */
export class HistoryScreen implements Screen {
  readonly kind: TuiKind;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #name: string;
  readonly #left = new AbortController();
  readonly #page = new Page();
  #span = 1;
  #isLarge = false;
  #hasDots: boolean;
  #series: readonly FigureHistory[] | undefined;
  #range = { startMs: 0, endMs: 0 };
  #readAtMs = 0;
  /** The moment that is told of; undefined: now. */
  #cursorMs: number | undefined;
  #width = 80;
  #trouble = "";
  /** What is being read is of no use any more. */
  #stale = new AbortController();

  constructor(program: Program, kind: TuiKind, name: string) {
    this.#program = program;
    this.kind = kind;
    this.#name = name;
    this.#hasDots = program.model.session.hasDots === true;
    this.commands = this.#makeCommands();
    void this.#follow();
  }

  title(): string {
    return `history ${this.kind.kind} ${shortName(this.#name)}, ${this.#spanNow.word}`;
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    const body = pageBody(this.#page, this.#lines(width, height), height);
    const age = this.#series === undefined ? "" : `, ${formatAge(this.#program.model.nowMs - this.#readAtMs)} old`;
    const facts: Line =
      this.#series === undefined ? [] : [{ text: ` ${momentText(this.#look(width, height))}${age}`, tone: "dim" }];
    return { ...body, facts, ...(this.#trouble === "" ? {} : { aside: this.#trouble }) };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.#name);
  }

  back(): boolean {
    if (this.#cursorMs === undefined) return false;
    this.#cursorMs = undefined;
    return true;
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new HistoryScreen(this.#program, this.kind, this.#name);
  }

  #look(width: number, height: number): ChartLook {
    return {
      ...{
        range: this.#range,
        width,
        hasDots: this.#hasDots,
        cursorMs: this.#cursorMs,
        nowMs: this.#program.model.nowMs,
      },
      rows: height < 30 ? fewRows : manyRows,
    };
  }

  #lines(width: number, height: number): readonly Line[] {
    if (this.#series === undefined) return this.#trouble === "" ? [[{ text: "   reading", tone: "busy" }]] : [];
    const look = this.#look(width, height);
    const lines = this.#isLarge ? courseCharts(this.#series, look) : courseRows(this.#series, look);
    return lines.length > 0 ? lines : [[{ text: "   nothing was measured in this time", tone: "dim" }]];
  }

  get #spanNow(): (typeof spans)[number] {
    return spans[this.#span] ?? spans[1];
  }

  #reach(by: number): void {
    const next = Math.max(0, Math.min(spans.length - 1, this.#span + by));
    if (next === this.#span) return;
    this.#span = next;
    this.#stale.abort();
  }

  /** Moves the moment that is told of by cells; behind the last one it is now again. */
  #moveCursor(by: number): void {
    const { startMs, endMs } = this.#range;
    const step = stepOf({ range: this.#range, width: this.#width });
    const from = this.#cursorMs ?? endMs;
    const to = from + by * step;
    this.#cursorMs = to >= endMs ? undefined : Math.max(startMs, to);
  }

  #makeCommands(): readonly Command[] {
    const group = "Look";
    return [
      ...pageCommands(this.#program.model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
      { keys: ["left"], title: "the values before, at the cursor", group: "Move", run: () => this.#moveCursor(-1) },
      {
        keys: ["right"],
        title: "the values after; at the end those of now",
        group: "Move",
        run: () => this.#moveCursor(1),
      },
      { keys: ["{"], title: "the cursor ten cells back", group: "Move", run: () => this.#moveCursor(-10) },
      { keys: ["}"], title: "the cursor ten cells on", group: "Move", run: () => this.#moveCursor(10) },
      { keys: ["-"], title: "a longer time", group, hint: { word: "longer", rank: 3 }, run: () => this.#reach(1) },
      {
        keys: ["+", "="],
        title: "a shorter time",
        group,
        hint: { word: "shorter", rank: 4 },
        run: () => this.#reach(-1),
      },
      {
        keys: ["H"],
        title: "large charts, what belongs together over each other, or a row each",
        group,
        hint: { word: "large", rank: 5 },
        run: () => {
          this.#isLarge = !this.#isLarge;
        },
      },
      {
        keys: ["#"],
        title: "large charts of dots, or of signs that every terminal has",
        group,
        run: () => {
          this.#hasDots = !this.#hasDots && this.#program.model.session.hasDots === true;
        },
      },
    ];
  }

  async #follow(): Promise<void> {
    const { model, figures, signal, log } = this.#program;
    const stop = AbortSignal.any([signal, this.#left.signal]);
    while (!stop.aborted) {
      this.#stale = new AbortController();
      const until = AbortSignal.any([stop, this.#stale.signal]);
      try {
        const endMs = model.nowMs;
        const range = { startMs: endMs - this.#spanNow.minutes * minute, endMs };
        this.#series = await figures.readHistory(this.#name, { ...range, maxPoints }, until);
        [this.#range, this.#trouble, this.#readAtMs] = [range, "", model.nowMs];
      } catch (error) {
        if (!until.aborted) {
          log.warn({ err: error, resource: this.#name }, "a history cannot be read");
          this.#trouble = messageOf(error);
        }
      }
      model.changed();
      await delay(everyMs, undefined, { signal: until }).catch(() => undefined);
    }
  }
}

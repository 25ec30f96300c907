import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../../lib/errors.js";
import type { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import { historyLines } from "../../kit/chart/history-lines.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
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
  #series: readonly FigureHistory[] | undefined;
  #range = { startMs: 0, endMs: 0 };
  #trouble = "";
  /** What is being read is of no use any more. */
  #stale = new AbortController();

  constructor(program: Program, kind: TuiKind, name: string) {
    this.#program = program;
    this.kind = kind;
    this.#name = name;
    const group = "Look";
    this.commands = [
      ...pageCommands(program.model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
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
        title: "large charts, or a row each",
        group,
        hint: { word: "large", rank: 5 },
        run: () => {
          this.#isLarge = !this.#isLarge;
        },
      },
    ];
    void this.#follow();
  }

  title(): string {
    return `history ${this.kind.kind} ${shortName(this.#name)}, ${this.#spanNow.word}`;
  }

  draw(width: number, height: number): Body {
    const lines =
      this.#series === undefined
        ? [this.#trouble === "" ? "   reading" : ""]
        : historyLines(this.#series, {
            ...{ name: this.#name, range: this.#range, columns: width, dots: false },
            isLarge: this.#isLarge,
          });
    const body = pageBody(
      this.#page,
      lines.map((text) => [{ text }]),
      height,
    );
    return this.#trouble === "" ? body : { ...body, aside: this.#trouble };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.#name);
  }

  targets(): readonly Row[] {
    const row = this.subject();
    return row === undefined ? [] : [row];
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new HistoryScreen(this.#program, this.kind, this.#name);
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
        [this.#range, this.#trouble] = [range, ""];
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

import { messageOf } from "../../../lib/errors.js";
import type { Busy } from "../../kit/busy/busy.js";
import { countOf } from "../../kit/fleet/summary.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { type PickLine, PickPage } from "../../kit/pick-page.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import type { Spoken } from "../../kit/spoken/spoken.js";
import { spokenPage } from "../../kit/spoken/spoken-page.js";
import { type Troubled, TroubleReader } from "../../kit/trouble/trouble-reader.js";
import { showDetails } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { TableScreen } from "../table/table-screen.js";
import { Consumers, type Ranking, rankings } from "./consumers.js";
import {
  consumerHead,
  consumerLine,
  countLine,
  eventLine,
  headingLine,
  totalLines,
  troubleLine,
} from "./pulse-lines.js";

/** Of what is wrong so many are shown before all are asked for. */
const fewTroubles = 6;
/** Of those that use the most. */
const fewConsumers = 5;

/** How the fleet is: what there is, what happens, what is wrong and why, and who uses the most; leaving the screen ends the watching. */
export class PulseScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #left = new AbortController();
  readonly #page: PickPage;
  readonly #reader: TroubleReader;
  readonly #consumers = new Consumers();
  #size = { width: 80, height: 20 };
  #ranking = 0;
  /** Ends the watching of another ranking. */
  #round = new AbortController();
  #isWhole = false;
  #figuresAtMs: number | undefined;
  #trouble = "";
  #lines: { readonly key: string; readonly lines: readonly PickLine[] } = { key: "", lines: [] };
  #troubled: readonly Troubled[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#reader = new TroubleReader(program.model.fleet);
    this.#page = new PickPage(() => this.#linesNow());
    const group = "Look";
    this.commands = [
      ...pageCommands(program.model, this.#page),
      {
        keys: ["enter"],
        title: "go to what the cursor is on",
        group,
        hint: { word: "open", rank: 1 },
        run: () => this.#open(),
      },
      {
        keys: ["tab"],
        title: "who uses the most of something else",
        group,
        hint: { word: "busiest by", rank: 3 },
        run: () => {
          this.#ranking = (this.#ranking + 1) % rankings.length;
          this.#consumers.forget();
          void this.#watch();
        },
      },
    ];
    void this.#watch();
  }

  /** Of what the cursor is on: its keys act on it. */
  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  title(): string {
    return "pulse";
  }

  draw(width: number, height: number): Body {
    this.#size = { width, height };
    const { connection } = this.#program.model.fleet;
    const isOld = connection.phase === "lost" || connection.phase === "refused";
    const { lines, extent } = this.#page.window(height);
    const bad = this.#troubled.filter(({ trouble }) => trouble.tone === "bad").length;
    const count = this.#troubled.length;
    const text = count === 0 ? " all is well" : ` ${count} to look at${bad === 0 ? "" : `, ${bad} bad`}`;
    return {
      lines: isOld ? lines.map((line) => ({ ...line, faded: true })) : lines,
      extent,
      facts: [{ text, tone: bad > 0 ? "bad" : count > 0 ? "warn" : "good" }],
      aside: this.#whyUnderCursor(),
    };
  }

  say(): Spoken {
    this.#size = { width: 200, height: 60 };
    return spokenPage(this.#page, this.#linesNow());
  }

  subject(): Row | undefined {
    const [type, name = ""] = (this.#page.picked ?? "").split(" ");
    if (type !== "trouble" && type !== "consumer") return undefined;
    return this.#program.model.fleet.findByName(name);
  }

  back(): boolean {
    if (!this.#isWhole) return false;
    this.#isWhole = false;
    return true;
  }

  again(): Screen {
    return new PulseScreen(this.#program);
  }

  line(): string {
    return "pulse";
  }

  closed(): void {
    this.#left.abort();
  }

  /** The whole reason, which there may be no room for on its line. */
  #whyUnderCursor(): string {
    const picked = this.#page.picked ?? "";
    return this.#troubled.find(({ row }) => picked === `trouble ${row.name}`)?.trouble.why ?? "";
  }

  /** All lines; put together once for what is drawn at a time. */
  #linesNow(): readonly PickLine[] {
    const { version, nowMs } = this.#program.model;
    const { width, height } = this.#size;
    const key = `${version} ${nowMs} ${width}x${height} ${this.#ranking} ${this.#isWhole}`;
    if (this.#lines.key !== key) this.#lines = { key, lines: this.#makeLines() };
    return this.#lines.lines;
  }

  #makeLines(): readonly PickLine[] {
    const { fleet, summary, nowMs } = this.#program.model;
    const { width } = this.#size;
    const heardMs = fleet.lastHeardMs === undefined ? undefined : nowMs - fleet.lastHeardMs;
    const events = { rate: fleet.eventsPerSecond(nowMs), course: fleet.eventCourse(nowMs), heardMs };
    return [
      ...summary.filter(({ counted, total }) => counted.rank < 3 || total > 0).map((each) => countLine(each, width)),
      ...this.#operationLine(),
      eventLine(events, width),
      ...totalLines(this.#consumers.totals, width),
      { line: [] },
      ...this.#troubleLines(),
      { line: [] },
      ...this.#consumerLines(),
    ];
  }

  /** Operations are not counted in the header; here they are. */
  #operationLine(): readonly PickLine[] {
    const { fleet, summary, kinds } = this.#program.model;
    const kind = kinds.find("operation");
    if (kind === undefined || summary.some((each) => each.kind === kind)) return [];
    return [countLine(countOf(fleet, kind), this.#size.width)];
  }

  #troubleLines(): readonly PickLine[] {
    const { context, fleet } = this.#program.model;
    const { width, height } = this.#size;
    this.#troubled = fleet.loaded ? this.#reader.read(context) : [];
    const all = this.#troubled;
    if (!fleet.loaded) return [headingLine("Wrong now", "the fleet is being read")];
    if (all.length === 0) return [headingLine("Wrong now"), { line: [{ text: "   nothing", tone: "good" }] }];
    const most = Math.max(fewTroubles, height - 20);
    const shown = this.#isWhole || all.length <= most ? all : all.slice(0, most);
    const more = all.length - shown.length;
    return [
      headingLine(`Wrong now (${all.length})`),
      ...shown.map((each) => troubleLine(each, width, context)),
      ...(more === 0
        ? []
        : [{ line: [{ text: `   and ${more} more; enter shows all`, tone: "dim" }], key: "all" } as const]),
    ];
  }

  #consumerLines(): readonly PickLine[] {
    const { nowMs } = this.#program.model;
    const { width, height } = this.#size;
    const ranking = this.#rankingNow;
    const first = this.#consumers.first.slice(0, Math.max(fewConsumers, Math.floor(height / 4)));
    const age = this.#figuresAtMs === undefined ? "no figures yet" : `${formatAge(nowMs - this.#figuresAtMs)} old`;
    const facts = [age, this.#trouble].filter((text) => text !== "").join(", ");
    return [
      headingLine("Busiest", facts),
      consumerHead(ranking, width),
      ...(first.length === 0 ? [{ line: [{ text: "   nobody", tone: "dim" }] } as const] : []),
      ...first.map((each) => consumerLine(each, this.#consumers.courseOf(each.name), width)),
    ];
  }

  get #rankingNow(): Ranking {
    return rankings[this.#ranking] ?? rankings[0];
  }

  #open(): void {
    const { model } = this.#program;
    const [type = "", name = ""] = (this.#page.picked ?? "").split(" ");
    if (type === "all") this.#isWhole = true;
    else if (type === "kind") model.push(new TableScreen(this.#program, name));
    else if (type === "events" && model.kinds.log !== undefined) {
      model.push(new TableScreen(this.#program, model.kinds.log.kind));
    } else showDetails(this.#program, false);
  }

  async #watch(): Promise<void> {
    const { model, figures, signal, log } = this.#program;
    this.#round.abort();
    this.#round = new AbortController();
    const stop = AbortSignal.any([signal, this.#left.signal, this.#round.signal]);
    const ranking = this.#rankingNow;
    try {
      const onNews = (busy: Busy): void => {
        if (stop.aborted) return;
        this.#consumers.take(ranking, busy);
        this.#figuresAtMs = model.nowMs;
        this.#trouble = busy.trouble;
        model.changed();
      };
      await figures.watchBusiest(ranking.figures, onNews, stop);
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error }, "figures cannot be watched");
      this.#trouble = messageOf(error);
      model.changed();
    }
  }
}

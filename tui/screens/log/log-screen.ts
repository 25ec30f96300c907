import { messageOf } from "../../../lib/errors.js";
import { counted, listed } from "../../../lib/words.js";
import { askText } from "../../kit/ask-text.js";
import { formatTime } from "../../kit/format.js";
import { parsePast } from "../../kit/input/past.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { pageCommands } from "../move-commands.js";
import type { FollowOptions, Program } from "../program.js";
import { LogBuffer, type LogEntry } from "./log-buffer.js";
import { logFilterHelp, parseLogFilter } from "./log-filter.js";
import { entryLines, type LogLook } from "./log-lines.js";
import { LogPage } from "./log-page.js";
import { savedName } from "./log-words.js";

/** Kinds of which there are logs: what instances say, and agents of hosts. */
export const loggedKinds: ReadonlySet<string> = new Set(["instance", "host"]);
/** More logs are not followed together. */
const mostLogs = 16;
/** Of what there is at first so many lines are said. */
const mostSaid = 20;
/** Cells that a line is moved by, and those at its beginning that may stay. */
const sideways = 16;
const locks: readonly number[] = [0, 12, 24, 36];

/** Logs as they are written, several of them merged; leaving the screen ends it. */
export class LogScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #names: readonly string[];
  readonly #left = new AbortController();
  readonly #buffer = new LogBuffer();
  readonly #page = new LogPage();
  #round = new AbortController();
  #open = 0;
  /** Number of the last line when it began to stay. */
  #heldAt = 0;
  #look: Omit<LogLook, "width"> = { wraps: true, times: false, names: [], offset: 0, locked: 0 };
  #width = 80;
  #marks = 0;
  /** As it was typed; empty: whenever. */
  #since = "";
  #source: NonNullable<FollowOptions["source"]> = "console";

  /** Begins to follow. @param names full names of instances and hosts; "hub", and "tui" for this program's own. */
  constructor(program: Program, names: readonly string[]) {
    this.#program = program;
    this.#names = names.slice(0, mostLogs);
    this.#look = { ...this.#look, names: this.#names.map(nameText), times: this.#names.length > 1 };
    this.commands = this.#makeCommands();
    if (names.length > mostLogs)
      program.model.say(`of ${names.length} logs the first ${mostLogs} are followed`, "warn");
    this.#follow();
  }

  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  title(): string {
    const [only = ""] = this.#names;
    const agent = only.split("/").length === 2 && this.#names.length === 1 ? "agent " : "";
    const what = this.#source === "runtime" ? "messages of what runs" : "log of";
    return `${what} ${agent}${listed(this.#names.map(nameText), 3)}`;
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    const entries = this.#buffer.shown;
    const { lines, top, shown } = this.#page.window(height, entries, this.#linesOf);
    const { filter } = this.#buffer;
    return {
      lines: lines.map((line) => ({ line })),
      extent: { top, shown, length: entries.length },
      facts: this.#facts(),
      aside: filter.trouble === "" ? "" : `the filter is not taken: ${filter.trouble}`,
    };
  }

  say(): Spoken {
    const entries = this.#buffer.shown;
    const { names } = this.#look;
    const say = ({ text, source }: LogEntry): string => (names.length < 2 ? text : `${names[source] ?? ""}: ${text}`);
    return {
      ...spokenLines(entries.slice(-mostSaid).map((entry) => ({ text: say(entry) }))),
      news: {
        last: this.#buffer.last,
        since: (number) => entries.filter((entry) => entry.number > number).map(say),
      },
    };
  }

  subject(): Row | undefined {
    const { kinds, fleet } = this.#program.model;
    const [only = ""] = this.#names;
    const kind = this.#names.length === 1 ? kinds.findByName(only) : undefined;
    return kind === undefined ? undefined : fleet.find(kind.kind, only);
  }

  back(): boolean {
    if (this.#buffer.filter.text === "") return false;
    this.#buffer.setFilter(parseLogFilter(""));
    return true;
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new LogScreen(this.#program, this.#names);
  }

  readonly #linesOf = (entry: LogEntry): readonly Line[] => entryLines(entry, { ...this.#look, width: this.#width });

  #facts(): Line {
    const { filter, shown, size, last } = this.#buffer;
    const fresh = last - this.#heldAt;
    const news = fresh === 0 ? "" : `, ${counted(fresh, "line")} since`;
    const what = this.#page.isAtEnd
      ? this.#open > 0
        ? "following"
        : "it has ended"
      : `${this.#open > 0 ? "not at the end" : "it has ended"}${news}; G goes there`;
    const facts: Segment[] = [{ text: ` ${what}`, tone: "dim" }];
    if (this.#since !== "") facts.push({ text: `  since ${plainText(this.#since)}`, tone: "dim" });
    if (filter.text !== "")
      facts.push({ text: `  /${plainText(filter.text)} ${shown.length} of ${size}`, tone: "warn" });
    if (!this.#look.wraps && this.#look.offset > 0)
      facts.push({ text: `  from column ${this.#look.offset}`, tone: "dim" });
    return facts;
  }

  #move(by: number, isPage: boolean): void {
    if (this.#page.isAtEnd) this.#heldAt = this.#buffer.last;
    const { shown } = this.#buffer;
    if (isPage) this.#page.page(by, shown, this.#linesOf);
    else this.#page.move(by, shown, this.#linesOf);
  }

  /** A line with the time behind all that has come. */
  #mark(): void {
    const { nowMs } = this.#program.model;
    this.#marks += 1;
    const text = `──── mark ${this.#marks}, ${formatTime(new Date(nowMs), nowMs)} ────`;
    this.#buffer.add({ text, tone: "accent", source: 0, time: undefined });
  }

  #pause(): void {
    if (!this.#page.isAtEnd) {
      this.#page.toEnd();
      return;
    }
    this.#heldAt = this.#buffer.last;
    this.#page.hold(this.#buffer.shown, this.#linesOf);
  }

  #turnSideways(by: number): void {
    if (this.#look.wraps) {
      this.#program.model.say("lines are wrapped; W cuts them, then they can be moved");
      return;
    }
    this.#look = { ...this.#look, offset: Math.max(0, this.#look.offset + by) };
  }

  #again(): void {
    this.#round.abort();
    this.#buffer.clear();
    this.#page.toEnd();
    this.#follow();
  }

  #follow(): void {
    this.#round = new AbortController();
    const stop = AbortSignal.any([this.#program.signal, this.#left.signal, this.#round.signal]);
    this.#open = this.#names.length;
    for (const [source, name] of this.#names.entries()) void this.#followOne(name, source, stop);
  }

  async #followOne(name: string, source: number, stop: AbortSignal): Promise<void> {
    const { log, model } = this.#program;
    const say = (text: string, tone: "dim" | "bad"): void => {
      this.#buffer.add({ text: `[${text}]`, tone, source, time: undefined });
    };
    const onNotice = (text: string): void => say(`it ${text}`, "dim");
    const options: FollowOptions = {
      ...{ signal: stop, onNotice, source: this.#source },
      ...(this.#since === "" ? {} : { since: parsePast("since", this.#since) }),
    };
    try {
      for await (const { text, time } of this.#program.followLog(name, options)) {
        if (stop.aborted) return;
        this.#buffer.add({ text, time, source });
        model.changed();
      }
      if (stop.aborted) return;
      say("the log ended", "dim");
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error, resource: name }, "a log could not be followed");
      say(messageOf(error), "bad");
    }
    this.#open -= 1;
    model.changed();
  }

  #askSince(given: string): void {
    askText(this.#program.model, given, {
      ...{ type: "input", text: "", title: "since when, such as 10m, 2h or 2026-01-31T10:00; all" },
      choices: ["5m", "15m", "1h", "6h", "1d", "all"],
      go: (text) => {
        if (text !== "all" && text !== "") parsePast("since", text);
        this.#since = text === "all" ? "" : text;
        this.#again();
      },
    });
  }

  #askFilter(given: string): void {
    const { text } = this.#buffer.filter;
    const apply = (typed: string): void => this.#buffer.setFilter(parseLogFilter(typed));
    askText(this.#program.model, given, { ...{ type: "filter", text, before: text, apply }, help: logFilterHelp });
  }

  #askFile(given: string): void {
    const { model } = this.#program;
    askText(model, given, {
      ...{ type: "input", text: savedName(this.#names.map(nameText), model.nowMs), title: "save what is shown as" },
      choices: [],
      go: (path) => void this.#save(path),
    });
  }

  async #save(path: string): Promise<void> {
    const { model } = this.#program;
    const { names } = this.#look;
    const text = this.#buffer.shown.map(({ text: line, time, source }) =>
      [time?.toISOString() ?? "", names.length > 1 ? (names[source] ?? "") : "", line]
        .filter((part) => part !== "")
        .join(" "),
    );
    try {
      await this.#program.saveText(path, `${text.join("\n")}\n`);
      model.say(`${counted(text.length, "line")} saved in ${path}`);
    } catch (error) {
      model.complain("tui.save_failed", "", `cannot save ${path}: ${messageOf(error)}`);
    }
    model.changed();
  }

  #makeCommands(): readonly Command[] {
    const group = "Look";
    const turn = (how: () => Partial<LogLook>) => (): void => {
      this.#look = { ...this.#look, ...how() };
    };
    const nextLock = (): number => locks[(locks.indexOf(this.#look.locked) + 1) % locks.length] ?? 0;
    const hasSources = (): boolean => this.kind?.kind === "instance";
    return [
      ...pageCommands(this.#program.model, { move: (by) => this.#move(by, false), page: (by) => this.#move(by, true) }),
      {
        keys: ["space"],
        title: "stay here, or follow the end again",
        group,
        hint: { word: "stay", rank: 3 },
        run: () => this.#pause(),
      },
      {
        keys: ["/"],
        argument: "WORDS",
        title: `only lines with ${logFilterHelp}`,
        group,
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => this.#askFilter(argument),
      },
      {
        keys: ["W"],
        title: "wrap long lines, or cut them",
        group,
        hint: { word: "wrap", rank: 4 },
        run: () => {
          this.#look = { ...this.#look, wraps: !this.#look.wraps, offset: 0 };
          // Where no line is that long nothing else shows it.
          this.#program.model.say(this.#look.wraps ? "long lines are wrapped" : "long lines are cut");
        },
      },
      {
        keys: ["right"],
        title: "cut lines: further to the right",
        group: "Move",
        run: () => this.#turnSideways(sideways),
      },
      { keys: ["left"], title: "cut lines: back to the left", group: "Move", run: () => this.#turnSideways(-sideways) },
      {
        keys: ["|"],
        title: "cut lines: 12, 24, 36 or no cells at the beginning stay",
        group,
        run: turn(() => ({ locked: nextLock() })),
      },
      {
        keys: ["T"],
        title: "when each line came, or not",
        group,
        hint: { word: "times", rank: 5 },
        run: turn(() => ({ times: !this.#look.times })),
      },
      {
        keys: ["S"],
        argument: "TIME",
        title: "since when: 10m, 2h, a time, all",
        group,
        hint: { word: "since", rank: 5 },
        run: ({ argument }) => this.#askSince(argument),
      },
      {
        keys: ["m"],
        title: "draw a line here: what comes below it came after it",
        group,
        run: () => this.#mark(),
      },
      {
        keys: ["tab"],
        title: "what an instance says, or messages of what runs it",
        group,
        when: hasSources,
        run: () => {
          this.#source = this.#source === "console" ? "runtime" : "console";
          this.#again();
        },
      },
      {
        keys: ["ctrl-s"],
        argument: "FILE",
        title: "save the lines that are shown to a file",
        group,
        hint: { word: "save", rank: 6 },
        run: ({ argument }) => this.#askFile(argument),
      },
    ];
  }
}

/** What a log is called beside its lines. */
function nameText(name: string): string {
  if (name === "hub") return "the hub";
  return name === "tui" ? "this program" : shortName(name);
}

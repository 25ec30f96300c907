import { messageOf } from "../../../lib/errors.js";
import { counted } from "../../../lib/words.js";
import { askText } from "../../kit/ask-text.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Body, BodyLine, Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line, Segment } from "../../kit/text/segment.js";
import { logFilterHelp, parseLogFilter } from "../log/log-filter.js";
import { pageCommands } from "../move-commands.js";
import { Paced } from "../paced.js";
import type { Program } from "../program.js";
import { FrameBuffer, type KeptFrame } from "./frame-buffer.js";
import { frameColumns, frameHeader, frameLine } from "./frame-lines.js";
import { type FrameList, FrameScreen } from "./frame-screen.js";

/** Of the frames that are there so many are said. */
const mostSaid = 20;
/** From one time that news are drawn to the next. */
const frameMs = 100;

/** The frames that pass something, one in a line, as they come; leaving the screen ends the capture. */
export class FramesScreen implements Screen, FrameList {
  readonly kind: TuiKind;
  readonly name: string;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #left = new AbortController();
  readonly #drawing: Paced;
  readonly #buffer = new FrameBuffer();
  #round = new AbortController();
  #places: string[] = [];
  /** Number of the frame under the cursor; undefined: the newest, whatever comes. */
  #at: number | undefined;
  #height = 1;
  #top = 0;
  /** Whether the host captures, as far as it has said. */
  #phase: "starting" | "running" | "away" = "starting";
  #isPaused = false;
  /** Frames that came while it was paused. */
  #missed = 0;
  #lost = 0;
  #notice = "";
  #wanted: string;
  #ended = "";

  /** @param wanted filter of the host, in the language of pcap-filter(7); "": all frames. */
  constructor(program: Program, kind: TuiKind, name: string, wanted = "") {
    this.#program = program;
    this.kind = kind;
    this.name = name;
    this.#wanted = wanted;
    this.#drawing = new Paced(() => program.model.changed(), frameMs);
    this.commands = this.#makeCommands();
    this.#begin();
  }

  get current(): KeptFrame | undefined {
    const { shown } = this.#buffer;
    return shown[this.#index(shown)];
  }

  get places(): readonly string[] {
    return this.#places;
  }

  title(): string {
    return `frames of ${shortName(this.name)}`;
  }

  draw(width: number, height: number): Body {
    this.#height = Math.max(1, height - 1);
    const { shown } = this.#buffer;
    const index = this.#index(shown);
    this.#top = Math.max(0, Math.min(this.#top, shown.length - this.#height));
    if (this.#at === undefined) this.#top = Math.max(0, shown.length - this.#height);
    else if (index < this.#top) this.#top = index;
    else if (index >= this.#top + this.#height) this.#top = index - this.#height + 1;
    const columns = frameColumns(width, this.#places.length > 1);
    const seen = shown.slice(this.#top, this.#top + this.#height);
    const rows = seen.map(
      (frame, row): BodyLine => ({
        line: frameLine(frame, this.#places, { width, columns }),
        selected: this.#top + row === index,
      }),
    );
    return {
      lines: [{ line: frameHeader(width, columns) }, ...rows],
      extent: { top: this.#top, shown: rows.length, length: shown.length },
      facts: this.#facts(),
      aside: this.#aside(),
    };
  }

  say(): Spoken {
    const { shown, count } = this.#buffer;
    const say = ({ seen, decoded }: KeptFrame): string =>
      plainText(
        `${decoded.protocol} from ${decoded.source} to ${decoded.destination}, ${seen.length} bytes, ${decoded.info}`,
      );
    const last = shown.at(-1)?.number ?? count;
    const since = (number: number) => shown.filter((frame) => frame.number > number).map(say);
    return { ...spokenLines(shown.slice(-mostSaid).map((frame) => ({ text: say(frame) }))), news: { last, since } };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.name);
  }

  back(): boolean {
    if (this.#buffer.filter.text === "") return false;
    this.#buffer.setFilter(parseLogFilter(""));
    return true;
  }

  closed(): void {
    this.#left.abort();
    this.#drawing[Symbol.dispose]();
  }

  again(): Screen {
    return new FramesScreen(this.#program, this.kind, this.name, this.#wanted);
  }

  step(by: number): void {
    const { shown } = this.#buffer;
    const to = Math.max(0, Math.min(shown.length - 1, this.#index(shown) + by));
    this.#at = shown[to]?.number;
    // At the end what comes is followed.
    if (to === shown.length - 1 && by > 0) this.#at = undefined;
  }

  /** Where the cursor is; of a frame that went away, the oldest that is there. */
  #index(shown: readonly KeptFrame[]): number {
    const at = this.#at;
    if (at === undefined) return shown.length - 1;
    const index = shown.findIndex(({ number }) => number >= at);
    return index < 0 ? shown.length - 1 : index;
  }

  #begin(): void {
    this.#round.abort();
    this.#round = new AbortController();
    this.#buffer.clear();
    this.#places = [];
    this.#at = undefined;
    this.#phase = "starting";
    [this.#missed, this.#lost, this.#notice, this.#ended] = [0, 0, "", ""];
    void this.#follow(this.#round.signal);
  }

  async #follow(round: AbortSignal): Promise<void> {
    const { frames, signal, log } = this.#program;
    const stop = AbortSignal.any([signal, this.#left.signal, round]);
    const changed = (): void => this.#drawing.ask();
    let ended: string;
    try {
      ended = await frames.watch(this.name, {
        filter: this.#wanted,
        signal: stop,
        listener: {
          onRunning: (isRunning) => {
            if (!stop.aborted) this.#phase = isRunning ? "running" : "away";
            changed();
          },
          onInterface: (place) => {
            if (!stop.aborted) this.#places.push(place);
            changed();
          },
          onFrames: (seen) => {
            if (stop.aborted || seen.length === 0) return;
            if (this.#isPaused) this.#missed += seen.length;
            else this.#buffer.add(seen);
            changed();
          },
          onLost: (lost) => {
            this.#lost = lost;
            changed();
          },
          onNotice: (text) => {
            this.#notice = text;
            changed();
          },
        },
      });
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error, resource: this.name }, "frames could not be captured");
      ended = messageOf(error);
    }
    if (stop.aborted) return;
    this.#ended = ended;
    changed();
  }

  #facts(): Line {
    const { filter, shown, all, count } = this.#buffer;
    const facts: Segment[] = [{ text: ` ${counted(count, "frame")}`, tone: "dim" }];
    if (this.#lost > 0) facts.push({ text: `, ${this.#lost} lost`, tone: "warn" });
    if (this.#isPaused) facts.push({ text: ` paused, ${this.#missed} passed by`, tone: "warn" });
    else if (this.#ended !== "") facts.push({ text: " ended", tone: "warn" });
    else if (this.#phase === "away") facts.push({ text: " away", tone: "warn" });
    else if (!this.#isCapturing) facts.push({ text: " starting", tone: "warn" });
    else if (this.#at === undefined) facts.push({ text: " following", tone: "good" });
    if (this.#wanted !== "") facts.push({ text: `  only ${plainText(this.#wanted)}`, tone: "accent" });
    if (filter.text !== "") {
      facts.push({ text: `  /${plainText(filter.text)} ${shown.length} of ${all.length}`, tone: "warn" });
    }
    return facts;
  }

  #aside(): string {
    const { trouble } = this.#buffer.filter;
    if (trouble !== "") return `the filter is not taken: ${trouble}`;
    if (this.#ended !== "") return `the capture has ended: ${this.#ended}; B begins anew`;
    if (this.#notice !== "") return this.#notice;
    if (this.#phase === "starting") return "the host begins to capture; what passes now is not seen yet";
    if (this.#places.length === 0) return "nothing of it is there yet that frames could pass";
    return this.#buffer.count === 0 ? "nothing has passed yet" : "";
  }

  /** The host has said that frames which pass now are captured. */
  get #isCapturing(): boolean {
    return this.#phase === "running" && this.#places.length > 0;
  }

  async #save(): Promise<void> {
    const { model, frames } = this.#program;
    const kept = this.#buffer.shown.map(({ seen }) => seen);
    try {
      const path = await frames.save(this.name, this.#places, kept);
      model.say(`${counted(kept.length, "frame")} in ${path}`);
    } catch (error) {
      model.say(`the frames were not written: ${messageOf(error)}`, "warn");
    }
    model.changed();
  }

  #makeCommands(): readonly Command[] {
    const { model } = this.#program;
    return [
      ...pageCommands(model, { move: (by) => this.step(by), page: (by) => this.step(by * this.#height) }),
      {
        keys: ["enter"],
        title: "the frame under the cursor: its layers and its bytes",
        group: "Look",
        hint: { word: "frame", rank: 1 },
        run: () => {
          // It is looked at as it is, whatever comes.
          this.#at = this.current?.number;
          if (this.#at !== undefined) model.push(new FrameScreen(this.#program, this));
        },
      },
      {
        keys: ["space"],
        title: "pause: what passes meanwhile is only counted; again: go on",
        group: "Look",
        hint: { word: "pause", rank: 3 },
        run: () => {
          this.#isPaused = !this.#isPaused;
          if (this.#isPaused) this.#missed = 0;
        },
      },
      {
        keys: ["/"],
        argument: "WORDS",
        title: "filter the frames that are here: words, !word, ~regex",
        group: "Look",
        hint: { word: "filter", rank: 4 },
        run: ({ argument }) => {
          const before = this.#buffer.filter.text;
          askText(model, argument, {
            ...{ type: "filter", text: before, before, help: logFilterHelp },
            apply: (text) => this.#buffer.setFilter(parseLogFilter(text)),
          });
        },
      },
      {
        keys: ["B"],
        words: ["only"],
        argument: "FILTER",
        title: "begin anew, with those frames only that pass a filter of tcpdump: icmp or port 53",
        group: "Look",
        hint: { word: "begin anew", rank: 5 },
        run: ({ argument }) => {
          askText(model, argument, {
            ...{ type: "input", text: this.#wanted, title: "only frames that are", choices: [] },
            go: (text) => {
              this.#wanted = text;
              this.#begin();
            },
          });
        },
      },
      {
        keys: ["W"],
        title: "write the frames that are shown into a file here, for Wireshark",
        group: "Look",
        hint: { word: "write", rank: 6 },
        run: () => void this.#save(),
      },
    ];
  }
}

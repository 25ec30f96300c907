import { messageOf } from "../../../lib/errors.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { type Wave, WaveItemState } from "../../../proto/gen/zor/v1/wave.js";
import { itemsLeft } from "../../kinds/operation/wave-states.js";
import type { Command } from "../../kit/keys/command.js";
import { PickPage } from "../../kit/pick-page.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import type { Spoken } from "../../kit/spoken/spoken.js";
import { spokenPage } from "../../kit/spoken/spoken-page.js";
import { showResource } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { goOnWith } from "./wave-impact.js";
import { waveLines, waveTitle, whyOf } from "./wave-lines.js";

/** A wave as it goes: all its resources by how they stand; it is paused, resumed and cancelled from here. Leaving it changes nothing. */
export class WaveScreen implements Screen {
  // The keys of what it is done to would act on one in the middle of a wave: it is opened first.
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #name: string;
  readonly #page: PickPage;
  readonly #left = new AbortController();
  #wave: Wave | undefined;
  #trouble = "";
  #width = 80;

  /** @param name of its operation. */
  constructor(program: Program, name: string) {
    this.#program = program;
    this.#name = name;
    this.#page = new PickPage(() => this.#lines());
    this.commands = [...pageCommands(program.model, this.#page), ...this.#actions()];
    void this.#follow();
  }

  title(): string {
    return `wave ${this.#wave === undefined ? idOf(this.#name) : waveTitle(this.#wave)}`;
  }

  line(): string {
    return `wave ${idOf(this.#name)}`;
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    const aside = this.#wave === undefined ? "" : whyOf(this.#wave, this.#page.picked);
    return { ...this.#page.window(height), aside };
  }

  say(): Spoken {
    return { ...spokenPage(this.#page, this.#lines()), standing: 2 };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.findByName(this.#page.picked ?? "");
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new WaveScreen(this.#program, this.#name);
  }

  #actions(): readonly Command[] {
    const group = "Act";
    const isPaused = (): boolean => this.#wave?.paused === true;
    return [
      {
        id: "wave.open",
        keys: ["enter", "d"],
        title: "details of what the cursor is on",
        group: "Look",
        hint: { word: "open", rank: 1 },
        run: () => {
          const name = this.#page.picked;
          if (name !== undefined) showResource(this.#program, name);
        },
      },
      {
        id: "wave.pause",
        keys: ["p"],
        title: "pause: begin no other until it is resumed",
        group,
        hint: { word: "pause", rank: 3 },
        changes: true,
        when: () => this.#isRunning() && !isPaused(),
        run: () => this.#ask("pause", () => this.#program.waves.pause(this.#name, this.#program.signal)),
      },
      {
        id: "wave.resume",
        keys: ["p"],
        title: "resume: go on, with a new budget where the old one is spent",
        group,
        hint: { word: "resume", rank: 3 },
        changes: true,
        when: () => this.#isRunning() && isPaused(),
        run: () => this.#resume(),
      },
      {
        id: "wave.cancel",
        keys: ["x"],
        title: "cancel: begin no other, and end; what is under way ends by itself",
        group,
        hint: { word: "cancel", rank: 4 },
        changes: true,
        dangerous: true,
        when: () => this.#isRunning(),
        run: () => this.#cancel(),
      },
      {
        id: "wave.again",
        keys: ["r"],
        title: "once more for what it left: failed, unconfirmed, not begun",
        group,
        hint: { word: "again", rank: 5 },
        changes: true,
        dangerous: true,
        when: () => this.#wave !== undefined && !this.#isRunning() && itemsLeft(this.#wave).length > 0,
        run: () => this.#again(),
      },
    ];
  }

  #isRunning(): boolean {
    return this.#wave?.state === OperationState.OPERATION_STATE_RUNNING;
  }

  /** As from the table of operations: it is asked first. */
  #cancel(): void {
    const { model, requests } = this.#program;
    const kind = model.kinds.find("operation");
    const row = model.fleet.find("operation", this.#name);
    const action = kind?.actions.find(({ verb }) => verb === "cancel");
    if (kind === undefined || action === undefined || row === undefined)
      model.say("the hub does not tell of it; try again");
    else requests.ask(kind, action, [row]);
  }

  /** What takes something away is not gone on with by a key that has paused it a moment ago. */
  #resume(): void {
    const { waves, signal, model } = this.#program;
    const wave = this.#wave;
    if (wave === undefined) return;
    const items = wave.items.filter(({ state }) => state === WaveItemState.WAVE_ITEM_STATE_PENDING);
    goOnWith({ model, wave, items }, false, () => this.#ask("resume", () => waves.resume(this.#name, signal)));
  }

  #again(): void {
    const { waves, signal, model } = this.#program;
    const wave = this.#wave;
    if (wave === undefined) return;
    const again = async (): Promise<void> => {
      const name = await waves.again(wave, signal);
      if (name !== undefined && model.screen === this) model.push(new WaveScreen(this.#program, name));
    };
    goOnWith({ model, wave, items: itemsLeft(wave) }, true, () => this.#ask("begin again", again));
  }

  #ask(what: string, work: () => Promise<void>): void {
    const { model, signal } = this.#program;
    work().then(
      () => model.changed(),
      (error: unknown) => {
        if (signal.aborted) return;
        model.complain("tui.wave_failed", this.#name, `cannot ${what}: ${messageOf(error)}`);
        model.changed();
      },
    );
  }

  async #follow(): Promise<void> {
    const { model, waves, log, signal } = this.#program;
    const stop = AbortSignal.any([signal, this.#left.signal]);
    const tell = (trouble: string): void => {
      this.#trouble = trouble;
      model.changed();
    };
    try {
      await waves.watch(this.#name, {
        signal: stop,
        onNews: (wave) => {
          this.#wave = wave;
          tell("");
        },
        onTrouble: tell,
      });
    } catch (error) {
      if (stop.aborted) return;
      log.warn({ err: error, resource: this.#name }, "a wave cannot be followed");
      tell(messageOf(error));
    }
  }

  #lines(): ReturnType<typeof waveLines> {
    const { fleet, nowMs } = this.#program.model;
    const [trouble, width] = [this.#trouble, this.#width];
    if (this.#wave !== undefined) return waveLines(this.#wave, { width, hubMs: fleet.hubTimeMs(nowMs), trouble });
    return [{ line: [trouble === "" ? { text: " looking ..." } : { text: ` ! ${trouble}`, tone: "warn" }] }];
  }
}

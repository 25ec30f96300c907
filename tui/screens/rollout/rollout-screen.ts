import { messageOf } from "../../../lib/errors.js";
import { counted } from "../../../lib/words.js";
import type { Command } from "../../kit/keys/command.js";
import { type PickLine, PickPage } from "../../kit/pick-page.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import type { Spoken } from "../../kit/spoken/spoken.js";
import { spokenPage } from "../../kit/spoken/spoken-page.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine } from "../../kit/text/segment.js";
import { showResource } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { waveLines, waveTitle, whyOf } from "../wave/wave-lines.js";
import type { Rollout } from "./rollout.js";

/** Hosts that are installed, upgraded or changed by ssh, as it goes: paused, resumed and cancelled from here. Leaving it changes nothing. */
export class RolloutScreen implements Screen {
  // The keys of hosts would act on one in the middle of it: it is opened first.
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #rollout: Rollout;
  readonly #page: PickPage;
  #width = 80;

  constructor(program: Program, rollout: Rollout) {
    this.#program = program;
    this.#rollout = rollout;
    this.#page = new PickPage(() => this.#lines());
    this.commands = [...pageCommands(program.model, this.#page), ...this.#actions()];
  }

  title(): string {
    const wave = this.#rollout.asWave();
    return wave.items.length === 0 ? `${this.#rollout.verb} of hosts` : waveTitle(wave);
  }

  line(): string {
    return "rollout";
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    return { ...this.#page.window(height), aside: whyOf(this.#rollout.asWave(), this.#page.picked) };
  }

  say(): Spoken {
    return { ...spokenPage(this.#page, this.#lines()), standing: 2 };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.findByName(this.#page.picked ?? "");
  }

  again(): Screen {
    return new RolloutScreen(this.#program, this.#rollout);
  }

  #actions(): readonly Command[] {
    const group = "Act";
    const [program, rollout] = [this.#program, this.#rollout];
    return [
      {
        id: "rollout.open",
        keys: ["enter", "d"],
        title: "details of the host that the cursor is on",
        group: "Look",
        hint: { word: "open", rank: 1 },
        when: () => this.subject() !== undefined,
        run: () => showResource(program, this.#page.picked ?? ""),
      },
      {
        id: "rollout.answer",
        keys: ["a"],
        title: "answer what it asks for",
        group,
        hint: { word: "answer", rank: 2 },
        changes: true,
        when: () => rollout.question !== undefined,
        run: () => program.rollouts.ask(rollout),
      },
      {
        id: "rollout.pause",
        keys: ["p"],
        title: "pause: begin no other host until it is resumed",
        group,
        hint: { word: "pause", rank: 3 },
        changes: true,
        when: () => rollout.isRunning && !rollout.isPaused,
        run: () => program.rollouts.pause(rollout),
      },
      {
        id: "rollout.resume",
        keys: ["p"],
        title: "resume: go on with the other hosts",
        group,
        hint: { word: "resume", rank: 3 },
        changes: true,
        when: () => rollout.isRunning && rollout.isPaused,
        run: () => program.rollouts.resume(rollout),
      },
      {
        id: "rollout.cancel",
        keys: ["x"],
        title: "cancel: begin no other host, and end; what is under way ends by itself",
        group,
        hint: { word: "cancel", rank: 4 },
        changes: true,
        dangerous: true,
        when: () => rollout.isRunning,
        run: () => this.#asked(`begin no other host in this ${rollout.verb}`, () => program.rollouts.cancel(rollout)),
      },
      {
        id: "rollout.again",
        keys: ["r"],
        title: "once more, as it was asked for: what is done already is not done again",
        group,
        hint: { word: "again", rank: 5 },
        changes: true,
        dangerous: true,
        when: () => !rollout.isRunning && program.rollouts.isHere(rollout),
        run: () => this.#asked(`${rollout.verb} ${rollout.argv.join(" ")} once more`, () => void this.#again()),
      },
      {
        id: "rollout.forget",
        keys: ["x"],
        title: "forget what was broken off: no later run offers to go on with it",
        group,
        hint: { word: "forget", rank: 6 },
        changes: true,
        dangerous: true,
        when: () => rollout.isBrokenOff,
        run: () => this.#asked(`forget this ${rollout.verb}; hosts stay as they are`, () => void this.#forget()),
      },
    ];
  }

  async #again(): Promise<void> {
    const { model, rollouts } = this.#program;
    await this.#tried(async () => {
      const { isBrokenOff } = this.#rollout;
      const begun = await rollouts.again(this.#rollout);
      if (begun === undefined) return;
      // What it goes on with is not left to go back to.
      if (isBrokenOff && model.screen === this) model.pop();
      model.push(new RolloutScreen(this.#program, begun));
    });
  }

  async #forget(): Promise<void> {
    const { model, rollouts } = this.#program;
    await this.#tried(async () => {
      if (!(await rollouts.forget(this.#rollout))) return;
      if (model.screen === this) model.pop();
      model.say(`the ${this.#rollout.verb} that was broken off is forgotten`);
    });
  }

  async #tried(work: () => Promise<void>): Promise<void> {
    const { model } = this.#program;
    try {
      await work();
    } catch (error) {
      model.complain("tui.rollout_not_removed", "", `what is noted of it: ${messageOf(error)}`);
    }
    model.changed();
  }

  #trouble(): string {
    const { question, isBrokenOff, left } = this.#rollout;
    if (question !== undefined) return `it asks: ${question.prompt}; a answers`;
    if (!isBrokenOff) return "";
    return `broken off with ${counted(left, "host")} to do: r goes on, x forgets it`;
  }

  #asked(title: string, yes: () => void): void {
    const { model } = this.#program;
    model.prompt = { type: "question", text: "", title, yes, no: () => model.say("nothing was changed") };
  }

  #lines(): readonly PickLine[] {
    const { model } = this.#program;
    const { said, notes } = this.#rollout;
    const wave = this.#rollout.asWave();
    const width = this.#width;
    const aside = (text: string): PickLine => ({
      line: cutLine([{ text: `   ${plainText(text)}`, tone: "dim" }], width),
    });
    const head: readonly PickLine[] =
      wave.items.length === 0
        ? [{ line: [{ text: this.#rollout.isRunning ? " looking ..." : " nothing was begun", tone: "dim" }] }]
        : waveLines(wave, { width, hubMs: model.nowMs, trouble: this.#trouble() });
    const rest = [...notes, ...said];
    return [
      ...head,
      ...(rest.length === 0 ? [] : [{ line: [] }, { line: [{ text: " Notes", tone: "accent" }] } as const]),
      ...rest.map(aside),
    ];
  }
}

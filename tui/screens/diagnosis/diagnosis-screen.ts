import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { timeLimit } from "../../../lib/time-limit.js";
import { describeLines } from "../../kit/describe/describe-lines.js";
import { saidLine } from "../../kit/describe/line.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { words } from "../../kit/spoken/words.js";
import { plainText } from "../../kit/text/plain-text.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { Diagnosis } from "./diagnosis.js";

/** A hub that takes longer than this to test a link is not waited for. */
const timeoutMs = 60_000;

/** Kind of what can be diagnosed. */
export const diagnosedKind = "link";

/** A link being tested, hop by hop; leaving the screen ends it. */
export class DiagnosisScreen implements Screen {
  readonly kind: TuiKind;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #link: string;
  readonly #left = new AbortController();
  #page = new Page();
  #diagnosis: Diagnosis;

  /** Begins to test the link of that name. */
  constructor(program: Program, link: string) {
    this.#program = program;
    this.#link = link;
    this.kind = program.model.kinds.get(diagnosedKind);
    this.commands = [
      ...pageCommands(program.model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
      {
        keys: ["D"],
        title: "test it again",
        group: "Look",
        hint: { word: "diagnose", rank: 4 },
        run: () => this.#again(),
      },
    ];
    this.#diagnosis = this.#begin();
  }

  title(): string {
    return `diagnosis ${shortName(this.#link)}`;
  }

  draw(width: number, height: number): Body {
    return pageBody(this.#page, describeLines(this.#diagnosis.lines(this.#program.model.nowMs), width), height);
  }

  say(): Spoken {
    const said = this.#diagnosis.lines(this.#program.model.nowMs).map((line) => words(plainText(saidLine(line))));
    const lines = said.filter((text) => text !== "").map((text) => ({ text }));
    return { ...spokenLines(lines), standing: lines.length };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(diagnosedKind, this.#link);
  }

  closed(): void {
    this.#left.abort();
  }

  again(): Screen {
    return new DiagnosisScreen(this.#program, this.#link);
  }

  #again(): void {
    if (this.#diagnosis.running) {
      this.#program.model.say("still testing; the conclusion comes by itself");
      return;
    }
    this.#page = new Page();
    this.#diagnosis = this.#begin();
  }

  #begin(): Diagnosis {
    const diagnosis = new Diagnosis(this.#program.model.nowMs);
    void this.#follow(diagnosis);
    return diagnosis;
  }

  async #follow(diagnosis: Diagnosis): Promise<void> {
    const { model, log } = this.#program;
    const stop = AbortSignal.any([this.#program.signal, this.#left.signal]);
    try {
      const signal = AbortSignal.any([stop, timeLimit(timeoutMs)]);
      for await (const response of this.#program.diagnose(this.#link, signal)) {
        diagnosis.apply(response);
        model.changed();
      }
      diagnosis.end(model.nowMs);
    } catch (error) {
      if (!stop.aborted) log.warn({ err: error, resource: this.#link }, "a diagnosis failed");
      diagnosis.end(model.nowMs, failureText(error));
    }
    model.changed();
  }
}

function failureText(error: unknown): string {
  const unknownToHub = error instanceof ZorError && error.code === status.UNIMPLEMENTED;
  return unknownToHub ? "this hub cannot test links; it is of an older version" : messageOf(error);
}

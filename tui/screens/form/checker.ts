import { messageOf, ZorError } from "../../../lib/errors.js";
import type { Changes, ResourceChange } from "./changes.js";
import type { Form } from "./form.js";

/** Typing goes on for so long before the server is asked. */
const pauseMs = 300;

/** What is known of whether the server would take what is typed. */
export type Verdict = "nothing" | "asking" | "good" | "bad";

/** Asks the server whether it would take a form as it is typed: one question at a time, and answers that come too late count no more. */
export class Checker implements Disposable {
  readonly #changes: Changes;
  readonly #onVerdict: () => void;
  #form: Form | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asked: AbortController | undefined;
  #round = 0;
  #isWaiting = false;
  verdict: Verdict = "nothing";

  constructor(changes: Changes, onVerdict: () => void) {
    this.#changes = changes;
    this.#onVerdict = onVerdict;
  }

  /** Something of the form is another now. */
  changed(form: Form): void {
    this.#form = form;
    this.#round += 1;
    clearTimeout(this.#timer);
    if (form.fault !== undefined) {
      this.verdict = "bad";
      return;
    }
    this.verdict = "asking";
    this.#timer = setTimeout(() => this.#ask(), pauseMs);
  }

  /** Nothing is asked any more. */
  [Symbol.dispose](): void {
    this.#round += 1;
    clearTimeout(this.#timer);
    this.#isWaiting = false;
    this.#form = undefined;
    this.#asked?.abort();
  }

  #ask(): void {
    if (this.#asked !== undefined) {
      // Answered before the next is asked.
      this.#isWaiting = true;
      return;
    }
    const form = this.#form;
    if (form === undefined) return;
    const round = this.#round;
    const asked = new AbortController();
    this.#asked = asked;
    void this.#answer(form, asked.signal).then((error) => {
      this.#asked = undefined;
      if (round === this.#round) this.#conclude(form, error);
      if (this.#isWaiting) {
        this.#isWaiting = false;
        this.#ask();
      }
    });
  }

  /** Resolves to what speaks against it. */
  async #answer(form: Form, signal: AbortSignal): Promise<unknown> {
    try {
      const change: ResourceChange | undefined = form.change();
      if (change !== undefined) await this.#changes.check(change, signal);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #conclude(form: Form, error: unknown): void {
    this.verdict = error === undefined ? "good" : "bad";
    if (error === undefined) form.accept();
    else refuse(form, error);
    this.#onVerdict();
  }
}

/** Puts what speaks against a form to its fields. */
export function refuse(form: Form, error: unknown): void {
  if (error instanceof ZorError) form.refuse(error.violations, error.message, error.resource);
  else form.refuse([], messageOf(error));
}

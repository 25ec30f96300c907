/** Who is asked while a connection is made; one question at a time. */
export interface SshQuestions {
  /** Something that is not shown while it is typed. Undefined: no answer is given. */
  secret(prompt: string): Promise<string | undefined>;
  /** Yes or no, after `lines`. */
  confirm(lines: readonly string[], question: string): Promise<boolean>;
}

/** Keeps what was answered, for connections that are made again and for further servers: each question is asked once. */
export class Remembered implements SshQuestions {
  readonly #asked = new Map<string, Promise<string | undefined>>();
  readonly #answers = new Map<string, string>();
  readonly #questions: SshQuestions;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(questions: SshQuestions) {
    this.#questions = questions;
  }

  secret(prompt: string): Promise<string | undefined> {
    const known = this.#asked.get(prompt);
    if (known !== undefined) return known;
    const answer = this.#next(async () => {
      const text = await this.#questions.secret(prompt);
      if (text !== undefined) this.#answers.set(prompt, text);
      return text;
    });
    this.#asked.set(prompt, answer);
    return answer;
  }

  /** What was answered was wrong: it is asked for again, unless somebody else has found that out and asked already. */
  forget(prompt: string, wrong: string): void {
    if (this.#answers.get(prompt) !== wrong) return;
    this.#answers.delete(prompt);
    this.#asked.delete(prompt);
  }

  /** The same answers, but nobody is asked any more: for connections that are made again while something else is on the terminal. */
  quiet(): Remembered {
    const quiet = new Remembered({ secret: async () => undefined, confirm: async () => false });
    for (const [prompt, answer] of this.#asked) quiet.#asked.set(prompt, answer);
    return quiet;
  }

  confirm(lines: readonly string[], question: string): Promise<boolean> {
    return this.#next(() => this.#questions.confirm(lines, question));
  }

  #next<T>(ask: () => Promise<T>): Promise<T> {
    const answer = this.#turn.then(ask);
    this.#turn = answer.catch(() => undefined);
    return answer;
  }
}

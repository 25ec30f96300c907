/** A task does so much at a time, in milliseconds, before it is another's turn. */
const sliceMs = 8;

/** Work that gives way in between: what it yields means nothing. */
export type Work<Result> = Generator<void, Result>;

interface Task {
  /** Does a part. True: it is done. */
  readonly step: () => boolean;
}

/**
 * Long work in small parts, so that calls get in between. Who has asked for much waits for himself: in each turn of the loop one task goes on,
 * each caller's in rotation.
 */
export class Turns {
  /** Tasks of each caller, in rotation. */
  readonly #tasks = new Map<string, Task[]>();
  #isDue = false;

  /** Does a first part at once, which may be all of it. @throws what the work throws. */
  async run<Result>(caller: string, work: Work<Result>): Promise<Result> {
    const first = advance(work);
    if (first !== undefined) return first.value;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const step = (): boolean => {
      try {
        const done = advance(work);
        if (done !== undefined) resolve(done.value);
        return done !== undefined;
      } catch (error) {
        reject(error);
        return true;
      }
    };
    const tasks = this.#tasks.get(caller) ?? [];
    tasks.push({ step });
    this.#tasks.set(caller, tasks);
    this.#soon();
    return promise;
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      const [next] = this.#tasks;
      if (next === undefined) return;
      const [caller, tasks] = next;
      this.#tasks.delete(caller);
      if (tasks[0]?.step() === true) tasks.shift();
      if (tasks.length > 0) this.#tasks.set(caller, tasks);
      if (this.#tasks.size > 0) this.#soon();
    });
  }
}

function advance<Result>(work: Work<Result>): { readonly value: Result } | undefined {
  const until = performance.now() + sliceMs;
  for (;;) {
    const step = work.next();
    if (step.done === true) return { value: step.value };
    if (performance.now() > until) return undefined;
  }
}

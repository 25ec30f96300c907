import { invalidArgument } from "../../../lib/errors.js";
import { checkSize } from "../../../lib/terminal-size.js";
import type { TerminalSize } from "../../../proto/gen/zor/v1/console_service.js";
import type { ExecRequest, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";

/** What a client sends to a running command, taken apart. */
export interface ExecInput {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly resizes: AsyncIterable<TerminalSize>;
  /** What was wrong with the client's messages. */
  failure(): unknown;
  /** Ends both iterables. */
  end(): void;
}

/**
 * Reads the client's messages and hands them to the iterables. Standard input is read no faster than the command takes it, and what was typed
 * after a change of size when its terminal has that size; of sizes that come faster than they are taken the last one counts.
 * @param wants what the client said would follow. @param onFailure told of a message that does not belong here.
 */
export function readAhead(
  requests: AsyncIterator<ExecRequest>,
  wants: Pick<ExecStart, "stdin" | "tty">,
  onFailure: (error: unknown) => void,
): ExecInput {
  const resizes = new Latest<TerminalSize>();
  const stdin = new Handover<Uint8Array>();
  let failed: unknown;
  const read = async (): Promise<void> => {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      await take(next.value, { stdin, resizes, wants });
    }
    stdin.end();
  };
  read().catch((error: unknown) => {
    failed = error;
    stdin.end();
    onFailure(error);
  });
  return {
    stdin,
    resizes,
    failure: () => failed,
    end: () => {
      stdin.end();
      resizes.end();
    },
  };
}

async function take(
  { message }: ExecRequest,
  input: {
    readonly stdin: Handover<Uint8Array>;
    readonly resizes: Latest<TerminalSize>;
    readonly wants: Pick<ExecStart, "stdin" | "tty">;
  },
): Promise<void> {
  switch (message?.$case) {
    case "stdin":
      if (!input.wants.stdin) throw invalidArgument("stdin", "start.stdin was not set, so no input can follow");
      await input.resizes.settled();
      await input.stdin.give(message.value);
      return;
    case "stdinEnd":
      input.stdin.end();
      return;
    case "resize":
      // Without a terminal there is nothing to resize, and nobody takes the sizes.
      if (input.wants.tty) input.resizes.give(checkSize("resize", message.value));
      return;
    case "start":
      throw invalidArgument("start", "the command has started already; send it first and once");
    case undefined:
      throw invalidArgument("message", "must be set");
  }
}

/** Hands values from one producer to one consumer, one at a time: the producer waits until its value is taken. */
class Handover<T> implements AsyncIterable<T> {
  #offer: { readonly value: T; readonly taken: () => void } | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Resolves when the value is taken or nobody will take it any more. */
  give(value: T): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#offer = { value, taken: resolve };
    this.#wake?.();
    return promise;
  }

  end(): void {
    this.#ended = true;
    this.#offer?.taken();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const offer = this.#offer;
      if (offer !== undefined) {
        this.#offer = undefined;
        offer.taken();
        yield offer.value;
        continue;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

/** Hands the last of what it is given to one consumer, which may miss those before. */
class Latest<T> implements AsyncIterable<T> {
  #next: { readonly value: T } | undefined;
  #isUsing = false;
  #ended = false;
  #wake: (() => void) | undefined;
  #settled: (() => void)[] = [];

  give(value: T): void {
    if (this.#ended) return;
    this.#next = { value };
    this.#wake?.();
  }

  /** Resolves when the consumer is done with all that it was given, or takes nothing any more. */
  async settled(): Promise<void> {
    if (this.#ended || (this.#next === undefined && !this.#isUsing)) return;
    await new Promise<void>((resolve) => this.#settled.push(resolve));
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.#settle();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      while (!this.#ended) {
        const next = this.#next;
        this.#next = undefined;
        if (next !== undefined) {
          this.#isUsing = true;
          yield next.value;
          this.#isUsing = false;
          continue;
        }
        this.#settle();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      this.end();
    }
  }

  #settle(): void {
    for (const resolve of this.#settled.splice(0)) resolve();
  }
}

import { unavailable, type ZorError } from "../errors.js";
import type { ServiceOptions } from "./service.js";

/** Whether a method, "/zor.v1.WatchService/Watch", goes on for ever. */
export const isWatch = (method: string): boolean => /\/Watch[A-Za-z]*$/.test(method);

/** Watches under way: calls that go on for ever, so that a server that ends need not wait for them. */
export class OpenWatches {
  readonly #ends = new Set<(error: ZorError) => void>();
  #ending = false;

  /** To be told of every call; passes each on to `next`. */
  onCall(next: NonNullable<ServiceOptions["onCall"]>): NonNullable<ServiceOptions["onCall"]> {
    return (context, end) => {
      const done = next(context, end);
      if (!isWatch(context.method)) return done;
      if (this.#ending) end(ended());
      this.#ends.add(end);
      return () => {
        this.#ends.delete(end);
        done();
      };
    };
  }

  /** Ends every watch, and those that begin later, with UNAVAILABLE: whoever watches connects again. */
  endAll(): void {
    this.#ending = true;
    for (const end of [...this.#ends]) end(ended());
  }
}

function ended(): ZorError {
  return unavailable("ENDING", "", "the server ends; watch again when it is back");
}

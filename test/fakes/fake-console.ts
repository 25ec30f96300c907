import type { ConsoleFacts, ConsoleRequest, OpenConsole } from "../../tui/screens/console/console-opener.js";

/** A console whose guest is the test. */
export class FakeConsole implements OpenConsole {
  readonly request: ConsoleRequest;
  readonly ended: Promise<string>;
  /** What was typed, and what was answered. */
  sent = "";
  /** Sizes that it was told of: "80x17". */
  readonly sizes: string[] = [];
  readonly #end = Promise.withResolvers<string>();

  /** @param failure it cannot be opened. */
  constructor(request: ConsoleRequest, failure?: Error) {
    this.request = request;
    this.ended = failure === undefined ? this.#end.promise : Promise.reject(failure);
  }

  send(data: string): boolean {
    this.sent += data;
    return true;
  }

  resize({ columns, rows }: { readonly columns: number; readonly rows: number }): void {
    this.sizes.push(`${columns}x${rows}`);
  }

  /** It is there. */
  open(facts: Partial<ConsoleFacts> = {}): void {
    this.request.listener.onOpened({ writable: true, missing: false, others: [], ...facts });
  }

  /** The guest says something; resolves when more may be said. */
  say(text: string | Uint8Array): Promise<void> {
    return this.request.listener.onData(Buffer.from(text));
  }

  lose(why: string): void {
    this.request.listener.onLost(why);
  }

  /** It ends by itself. */
  end(why: string): void {
    this.#end.resolve(why);
  }
}

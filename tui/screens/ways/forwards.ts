import { messageOf } from "../../../lib/errors.js";
import { counted } from "../../../lib/words.js";
import type { ForwardedPort } from "../../kit/input/forward.js";
import type { Model } from "../../kit/model.js";
import { shortName } from "../../kit/resource-name.js";

/** A port of this machine that leads to a server inside an instance. */
export interface OpenForward {
  /** "127.0.0.1:8080" */
  readonly address: string;
  /** Connections there are, and there were. */
  readonly counts: { readonly open: number; readonly taken: number };
  /** Closes the port, and ends its connections. */
  close(): void;
}

/** Opens such a port; the server is inside the instance. @throws {ZorError} */
export type Forwarder = (
  name: string,
  ports: ForwardedPort,
  given: { readonly signal: AbortSignal; readonly onTrouble: (text: string) => void },
) => Promise<OpenForward>;

/** One that was begun from the keyboard. */
export interface Forward extends OpenForward {
  readonly id: number;
  /** Full name of the instance. */
  readonly name: string;
  readonly remote: number;
  readonly sinceMs: number;
  /** What went wrong last; empty: nothing did. */
  trouble: string;
}

/** Ports of this machine that were opened from the keyboard: each stays open, whatever is looked at, until it is ended or the program is. */
export class Forwards {
  readonly #model: Model;
  readonly #open: Forwarder;
  readonly #signal: AbortSignal;
  readonly #all = new Map<number, Forward>();
  #count = 0;

  constructor(model: Model, open: Forwarder, signal: AbortSignal) {
    this.#model = model;
    this.#open = open;
    this.#signal = signal;
    const closeAll = (): void => {
      for (const each of this.#all.values()) each.close();
    };
    signal.addEventListener("abort", closeAll, { once: true });
  }

  /** Those that are open, the oldest first. */
  get all(): readonly Forward[] {
    return [...this.#all.values()];
  }

  /** Opens a port. */
  async begin(name: string, ports: ForwardedPort): Promise<void> {
    this.#count += 1;
    const id = this.#count;
    const onTrouble = (text: string): void => {
      const forward = this.#all.get(id);
      if (forward !== undefined) forward.trouble = text;
      this.#model.say(`a connection to ${shortName(name)}:${ports.remote} was not passed on: ${text}`, "warn");
      this.#model.changed();
    };
    try {
      const open = await this.#open(name, ports, { signal: this.#signal, onTrouble });
      const { address, counts } = open;
      const close = (): void => open.close();
      const rest = { id, name, remote: ports.remote, sinceMs: this.#model.nowMs, trouble: "" };
      this.#all.set(id, { address, counts, close, ...rest });
      this.#model.say(
        `${address} leads to ${shortName(name)}:${ports.remote} as long as this program runs; :forwards shows and ends it`,
      );
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#model.complain("tui.forward_failed", name, `cannot lead a port to ${shortName(name)}: ${messageOf(error)}`);
    }
    this.#model.changed();
  }

  /** Closes a port with its connections. */
  end(id: number): void {
    const forward = this.#all.get(id);
    if (forward === undefined) return;
    const { open } = forward.counts;
    forward.close();
    this.#all.delete(id);
    const cut = open === 0 ? "" : `, with ${counted(open, "connection")}`;
    this.#model.say(`${forward.address} is closed${cut}`);
  }
}

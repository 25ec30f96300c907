import type { Log } from "../../../lib/log.js";
import type { Quiet } from "../threads/cable-orders.js";
import { type EndEvent, type EndState, initialState, nextState } from "./link-state.js";
import type { PathOwner } from "./paths.js";

/** How far an end has come: its state, and how quiet the peer is on the connection in use. */
export class EndProgress {
  readonly #options: EndProgressOptions;
  #state: EndState;
  #quiet: { readonly number: number; readonly quiet: Quiet } = { number: 0, quiet: "no" };

  constructor(role: "listener" | "dialer", options: EndProgressOptions) {
    this.#options = options;
    this.#state = initialState(role, Date.now());
  }

  get state(): EndState {
    return this.#state;
  }

  /** Number of the connection in use; undefined: none. */
  get current(): number | undefined {
    return this.#state.current?.number;
  }

  get inUse(): PathOwner["inUse"] {
    const { current } = this.#state;
    if (current === undefined) return undefined;
    return { path: current.path, quiet: this.#quiet.number === current.number ? this.#quiet.quiet : "no" };
  }

  /** Something has happened to the end. */
  apply(event: EndEvent): void {
    const { log, link, onChange } = this.#options;
    const before = this.#state;
    this.#state = nextState(before, event, Date.now());
    if (this.#state === before) return;
    const { phase, reason, cause, current } = this.#state;
    if (phase !== before.phase || current?.path !== before.current?.path) {
      log.info({ link, phase, reason, cause, path: current?.path }, "link end changed");
    }
    onChange(this.#state);
  }

  /** The peer has not answered on a connection for a while, or does again. False: it is not the one in use. */
  becomeQuiet(number: number, quiet: Quiet): boolean {
    if (number !== this.current) return false;
    this.#quiet = { number, quiet };
    const text = quiet === "silent" ? "the peer has not answered for more than 5 s" : "";
    this.apply({ type: "fault", source: "silence", text });
    return true;
  }
}

/** What an {@link EndProgress} works with. */
export interface EndProgressOptions {
  /** "links/{link}". */
  readonly link: string;
  readonly log: Log;
  /** The state is another. */
  readonly onChange: (state: EndState) => void;
}

import { type ConsolePlace, ConsoleSession } from "./console-session.js";
import type { ConsoleOpener } from "./console-opener.js";
import { Paced } from "../paced.js";

/** Consoles that are open at once, at most: each keeps what it said. */
const mostOpen = 9;
/** What guests say is drawn so often, at most. */
const frameMs = 50;

/** The consoles that are open. They go on, whatever is looked at, until they are detached from or the program ends. */
export class Consoles {
  readonly #opener: ConsoleOpener;
  readonly #frames: Paced;
  readonly #sessions: ConsoleSession[] = [];
  /** Places of the one that is typed to, and of the one beside it. */
  #shown: { readonly here: ConsoleSession | undefined; readonly beside: ConsoleSession | undefined } = {
    here: undefined,
    beside: undefined,
  };

  /** @param changed told when something is to be drawn. @param signal ends all. */
  constructor(opener: ConsoleOpener, changed: () => void, signal: AbortSignal) {
    this.#opener = opener;
    this.#frames = new Paced(changed, frameMs);
    signal.addEventListener("abort", () => {
      this.#frames[Symbol.dispose]();
      for (const session of this.#sessions.splice(0)) session[Symbol.dispose]();
    });
  }

  get all(): readonly ConsoleSession[] {
    return this.#sessions;
  }

  /** The one that is typed to; undefined: none is open. */
  get here(): ConsoleSession | undefined {
    return this.#shown.here;
  }

  /** The one that is looked at beside it. */
  get beside(): ConsoleSession | undefined {
    return this.#shown.beside;
  }

  /** Goes to a console, which is opened unless it is open. False: there is no room for one more. */
  show(place: ConsolePlace): boolean {
    const open = this.#sessions.find(
      ({ place: { name, port, readOnly } }) =>
        name === place.name && port === place.port && readOnly === place.readOnly,
    );
    if (open !== undefined) {
      if (open.state.phase === "ended") open.open();
      this.goTo(open);
      return true;
    }
    if (this.#sessions.length >= mostOpen) return false;
    const session = new ConsoleSession(place, this.#opener, () => this.#frames.ask());
    this.#sessions.push(session);
    this.goTo(session);
    return true;
  }

  /** Types to that one from now on. */
  goTo(session: ConsoleSession): void {
    const { here, beside } = this.#shown;
    this.#shown = { here: session, beside: session === beside ? here : beside };
  }

  /** Goes to the next one, or with -1 to the one before. */
  goOn(step: 1 | -1): void {
    const { here } = this.#shown;
    if (here === undefined) return;
    const { length } = this.#sessions;
    const next = this.#sessions[(this.#sessions.indexOf(here) + step + length) % length];
    if (next !== undefined) this.goTo(next);
  }

  /** Shows another one beside, the next of all, or none any more. False: there is no other. */
  split(): boolean {
    const { here, beside } = this.#shown;
    if (here === undefined) return false;
    if (beside !== undefined) {
      this.#shown = { here, beside: undefined };
      return true;
    }
    const at = this.#sessions.indexOf(here);
    const other = this.#sessions[(at + 1) % this.#sessions.length];
    if (other === here) return false;
    this.#shown = { here, beside: other };
    return true;
  }

  /** Leaves all of them for good. */
  detachAll(): void {
    for (const session of [...this.#sessions]) this.detach(session);
  }

  /** Leaves a console for good. */
  detach(session: ConsoleSession): void {
    const at = this.#sessions.indexOf(session);
    if (at < 0) return;
    this.#sessions.splice(at, 1);
    session[Symbol.dispose]();
    const { here, beside } = this.#shown;
    const left = this.#sessions[Math.min(at, this.#sessions.length - 1)];
    const next = here === session ? (beside ?? left) : here;
    this.#shown = { here: next, beside: beside === session || beside === next ? undefined : beside };
  }
}

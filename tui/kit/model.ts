import type { CellContext } from "./fleet/fleet-view.js";
import { Fleet } from "./fleet/fleet.js";
import { createSummary, type FleetSummary } from "./fleet/summary.js";
import type { KindTable } from "./kind-table.js";
import { MessageLog } from "./message-log.js";
import type { Prompt } from "./prompt.js";
import type { Screen } from "./screen.js";
import type { Tone } from "./states.js";
import { Trail } from "./trail.js";

/** How long a notice stays; what is not bad goes sooner, at the next key. */
const noticeMs = { plain: 6_000, bad: 20_000 } as const;

/** Something said at the bottom. */
export interface Notice {
  readonly text: string;
  readonly tone: Tone;
  readonly atMs: number;
  readonly staysMs: number;
}

/** What the program is and may do. */
export interface Session {
  readonly context: string;
  readonly address: string;
  readonly readOnly: boolean;
  /** Id of the host whose agent is asked, past every hub. Default: a hub is asked, or several. */
  readonly agentOf?: string | undefined;
  /** Identity of who looks, at each hub; "" of one hub alone. Default: nobody knows. */
  readonly own?: ReadonlyMap<string, string>;
  /** Nothing is drawn, lines are said: what would need a screen takes the terminal instead. Default: a screen is drawn. */
  readonly isPlain?: boolean;
  /** The terminal has signs of braille. Default: it has not. */
  readonly hasDots?: boolean;
}

/**
 * Everything that is drawn: the fleet, the open screens, what is being typed. No I/O, no clock of its own, no React; whoever
 * changes it calls {@link changed}, whoever draws it subscribes. The first screen is pushed by whoever makes it.
 */
export class Model {
  readonly fleet: Fleet;
  #session: Session;
  readonly #now: () => number;
  readonly #summary: () => FleetSummary;
  readonly messages = new MessageLog();
  readonly #trail = new Trail();
  #screens: Screen[] = [];
  readonly #listeners = new Set<() => void>();
  #version = 0;
  /** Of more than so many the number is typed before they are changed. */
  typeNumberAbove = 20;
  prompt: Prompt | undefined;
  notice: Notice | undefined;

  constructor(kinds: KindTable, session: Session, now: () => number) {
    this.#session = session;
    this.#now = now;
    this.fleet = new Fleet(kinds, now());
    this.fleet.own = session.own ?? new Map();
    this.#summary = createSummary(this.fleet);
  }

  get session(): Session {
    return this.#session;
  }

  /** Goes to another context: nothing of what was known of the one before is left. Whoever calls this opens a screen and watches anew. */
  switchTo(session: Session): void {
    this.#session = session;
    this.prompt = undefined;
    this.#trail.forget();
    this.fleet.clear(this.#now());
    this.fleet.own = session.own ?? new Map();
  }

  get kinds(): KindTable {
    return this.fleet.kinds;
  }

  get nowMs(): number {
    return this.#now();
  }

  get context(): CellContext {
    return { fleet: this.fleet, nowMs: this.#now() };
  }

  get summary(): FleetSummary {
    return this.#summary();
  }

  /** The screen on top. @throws {Error} before the first one was pushed. */
  get screen(): Screen {
    const screen = this.#screens.at(-1);
    if (screen === undefined) throw new Error("there is always a screen");
    return screen;
  }

  /** The open screens, the one on top last. */
  get screens(): readonly Screen[] {
    return this.#screens;
  }

  /** Grows with every change; what React compares. */
  get version(): number {
    return this.#version;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Tells who draws that something is different. */
  changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** Opens a screen on top of what is open. */
  push(screen: Screen): void {
    this.#screens.push(screen);
    this.#trail.visit([...this.#screens]);
  }

  /** Closes the screen on top; false when it is the only one. */
  pop(): boolean {
    if (this.#screens.length === 1) return false;
    this.#screens.pop()?.closed?.();
    this.#trail.visit([...this.#screens]);
    return true;
  }

  /** Goes back to where somebody was before (-1), or ahead again (1); false when there is no such place. */
  goAlong(by: -1 | 1): boolean {
    const screens = this.#trail.go(by);
    if (screens === undefined) return false;
    const left = this.#screens.filter((screen) => !screens.includes(screen));
    this.#screens = [...screens];
    for (const screen of left.reverse()) screen.closed?.();
    return true;
  }

  /** Leaves all screens for one. */
  openOnly(screen: Screen): void {
    for (const open of this.#screens.splice(0).reverse()) open.closed?.();
    this.push(screen);
  }

  /** Says something until the next key, or for a while. */
  say(text: string, tone: Tone = "plain", staysMs: number = noticeMs.plain): void {
    this.notice = { text, tone, atMs: this.#now(), staysMs };
    this.messages.add(text, tone, this.#now());
  }

  /** A key was pressed: what was said before has been read. What went wrong stays for its time, or until it is put away. */
  hush(): void {
    if (this.notice?.tone !== "bad") this.notice = undefined;
  }

  /** Says what went wrong, and keeps it among what happened. `about` is the name of a resource, or empty. */
  complain(type: string, about: string, message: string): void {
    this.say(message, "bad", noticeMs.bad);
    this.fleet.complain({ type, about, message, failed: true }, this.#now());
  }

  /** Once a second: lets ages grow, notices go and waiting end. */
  tick(): void {
    const nowMs = this.#now();
    for (const { name, pending } of this.fleet.expirePending(nowMs)) {
      this.complain(
        `tui.${pending.verb}_unconfirmed`,
        name,
        `${name}: asked to ${pending.verb}, but no event has shown it happen; look at its operations, or ctrl-r to read again`,
      );
    }
    const { notice } = this;
    if (notice !== undefined && nowMs - notice.atMs >= notice.staysMs) this.notice = undefined;
    this.changed();
  }
}

import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import type { CellContext } from "./table/column.js";
import type { Diagnosis } from "../screens/diagnosis/diagnosis.js";
import { Fleet } from "./fleet/fleet.js";
import type { Impact } from "./impact.js";
import type { Kind, WatchedRow } from "./row.js";
import type { Tone } from "./states.js";
import { createSummary, type FleetSummary } from "./fleet/summary.js";
import { type TableScope, TableState } from "./table/table-state.js";

/** How long a notice stays; what is not bad goes sooner, at the next key. */
const noticeMs = { plain: 6_000, bad: 20_000 } as const;

/** A page that can be scrolled: its first line on the screen, and how many lines the screen had when it was last drawn. */
export interface Page {
  top: number;
  height: number;
}

/** A page at its top. */
export function newPage(): Page {
  return { top: 0, height: 1 };
}

/** The lines of a page that are on a screen of `height` lines. */
export function pageWindow<T>(page: Page, lines: readonly T[], height: number): readonly T[] {
  page.height = height;
  page.top = Math.max(0, Math.min(page.top, lines.length - height));
  return lines.slice(page.top, page.top + height);
}

/** One open screen. */
export type Screen =
  | { readonly type: "table"; readonly table: TableState }
  | { readonly type: "detail"; readonly kind: Kind; readonly name: string; readonly yaml: boolean; readonly page: Page }
  | { readonly type: "diagnosis"; readonly diagnosis: Diagnosis; readonly page: Page }
  | { readonly type: "help"; readonly page: Page };

/** What is being typed at the bottom. */
export type Prompt =
  | { readonly type: "command"; readonly text: string }
  | { readonly type: "filter"; readonly text: string; readonly before: string }
  | { readonly type: "confirm"; readonly impact: Impact; readonly phrase: string; readonly text: string };

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
}

/**
 * Everything the screen is drawn from: the fleet, the open screens, what is being typed. No I/O, no clock of its own, no
 * React; whoever changes it calls {@link changed}, whoever draws it subscribes.
 */
export class Model {
  readonly fleet: Fleet;
  readonly session: Session;
  readonly #now: () => number;
  readonly #summary: () => FleetSummary;
  readonly #screens: Screen[];
  readonly #listeners = new Set<() => void>();
  #version = 0;
  prompt: Prompt | undefined;
  notice: Notice | undefined;

  constructor(session: Session, now: () => number) {
    this.session = session;
    this.#now = now;
    this.fleet = new Fleet(now());
    this.#summary = createSummary(this.fleet);
    this.#screens = [{ type: "table", table: new TableState(this.fleet, "hosts") }];
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

  /** The screen on top. */
  get screen(): Screen {
    const screen = this.#screens.at(-1);
    if (screen === undefined) throw new Error("there is always a screen");
    return screen;
  }

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

  /** Opens a table on top of what is open. */
  push(screen: Screen): void {
    this.#screens.push(screen);
  }

  /** Closes the screen on top; false when it is the only one. */
  pop(): boolean {
    if (this.#screens.length === 1) return false;
    this.#screens.pop();
    return true;
  }

  /** Leaves all screens for one table. */
  openOnly(kind: Kind, scope: TableScope | undefined, filter: string): void {
    const table = new TableState(this.fleet, kind, scope);
    table.setFilter(filter);
    this.#screens.splice(0, this.#screens.length, { type: "table", table });
  }

  /** The resource a description shows; undefined when it is gone. */
  find(kind: Kind, name: string): WatchedRow | undefined {
    const row = this.fleet.tables[kind].find(name);
    return row === undefined || row.kind === "ports" ? undefined : row;
  }

  /** Says something until the next key, or for a while. */
  say(text: string, tone: Tone = "plain", staysMs: number = noticeMs.plain): void {
    this.notice = { text, tone, atMs: this.#now(), staysMs };
  }

  /** A key was pressed: what was said before has been read. What went wrong stays for its time, or until it is put away. */
  hush(): void {
    if (this.notice?.tone !== "bad") this.notice = undefined;
  }

  /** Says what went wrong, and keeps it among the events. */
  complain(type: string, resource: string, message: string): void {
    this.say(message, "bad", noticeMs.bad);
    this.fleet.addLocalEvent({ severity: EventSeverity.EVENT_SEVERITY_ERROR, type, resource, message }, this.#now());
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

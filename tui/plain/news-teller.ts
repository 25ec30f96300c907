import { formatAge } from "../kit/format.js";
import type { HubConnection } from "../kit/fleet/fleet.js";
import { Looks } from "../kit/map/looks.js";
import type { Model } from "../kit/model.js";
import type { Screen } from "../kit/screen.js";
import type { Spoken } from "../kit/spoken/spoken.js";
import { plainText } from "../kit/text/plain-text.js";
import { Pace } from "./pace.js";
import { subject, type Watched, Watching } from "./watching.js";

/** A screen that goes on by itself, and what was said of it. */
interface Followed {
  readonly screen: Screen;
  readonly spoken: () => Spoken;
  last: number;
  standing: readonly string[];
}

/** What comes by itself: how the hub does, what was asked for and has happened, a screen that goes on, and what is watched. */
export class NewsTeller {
  readonly #model: Model;
  readonly #pace = new Pace();
  readonly #phases = new Map<string, HubConnection["phase"]>();
  #waiting = new Map<string, string>();
  #followed: Followed | undefined;
  #watching: Watching | undefined;

  constructor(model: Model) {
    this.#model = model;
    this.#connections();
  }

  /** What there is to say now, a few lines a second. */
  take(): readonly string[] {
    // What happened to the hub is said at once, whatever else there is.
    const urgent = this.#connections();
    this.#pace.add([...this.#settled(), ...this.#goneOn(), ...(this.#watching?.changes() ?? [])]);
    return [...urgent, ...this.#pace.take(this.#model.nowMs)];
  }

  /** Notes what has been asked for: it may have happened before anybody asks for news. */
  expect(): void {
    for (const [name, { verb }] of this.#model.fleet.pending) this.#waiting.set(name, verb);
  }

  /** Says a screen's news from now on, if it has any. */
  follow(screen: Screen, spoken: () => Spoken): void {
    const now = spoken();
    const goesOn = now.news !== undefined || now.standing !== undefined;
    this.#followed = goesOn ? { screen, spoken, last: now.news?.last ?? 0, standing: standingOf(now) } : undefined;
  }

  watch(watched: Watched): void {
    this.#watching = new Watching(this.#model, watched);
  }

  /** Something is followed or watched. */
  get isFollowing(): boolean {
    return this.#watching !== undefined || this.#followed?.screen === this.#model.screen;
  }

  /** Says no more of what is followed or watched; false: nothing is. */
  stop(): boolean {
    const was = this.isFollowing;
    this.#watching = undefined;
    this.#followed = undefined;
    this.#pace.clear();
    return was;
  }

  #goneOn(): readonly string[] {
    const followed = this.#followed;
    if (followed === undefined || followed.screen !== this.#model.screen) return [];
    const now = followed.spoken();
    const added = now.news?.since(followed.last) ?? [];
    const standing = standingOf(now);
    const changed = standing.filter((text) => !followed.standing.includes(text));
    followed.last = now.news?.last ?? 0;
    followed.standing = standing;
    return [...added, ...changed];
  }

  /** What waited for an event that has come. */
  #settled(): readonly string[] {
    const { fleet, kinds } = this.#model;
    const looks = new Looks(fleet);
    const said = [...this.#waiting].flatMap(([name, verb]) => {
      if (fleet.pending.has(name)) return [];
      const kind = kinds.findByName(name);
      if (kind === undefined) return [];
      const row = fleet.find(kind.kind, name);
      return [`${subject(kind, name)}: ${row === undefined ? "gone" : looks.styleOfRow(row).word}, after ${verb}`];
    });
    this.#waiting = new Map([...fleet.pending].map(([name, { verb }]) => [name, verb]));
    return said;
  }

  #connections(): readonly string[] {
    const { fleet, session } = this.#model;
    const all = fleet.hubs.size > 0 ? [...fleet.hubs] : [[session.context, fleet.connection] as const];
    return all.flatMap(([hub, connection]) => {
      const before = this.#phases.get(hub);
      this.#phases.set(hub, connection.phase);
      if (before === undefined || before === connection.phase) return [];
      const text = this.#phaseText(connection, before);
      return text === undefined ? [] : [plainText(`hub ${hub}: ${text}`)];
    });
  }

  #phaseText({ phase, reason }: HubConnection, before: HubConnection["phase"]): string | undefined {
    const { fleet, nowMs } = this.#model;
    const why = reason === "" ? "" : `: ${reason}`;
    const heard =
      fleet.lastHeardMs === undefined ? "" : `; what is said is as it was ${formatAge(nowMs - fleet.lastHeardMs)} ago`;
    if (phase === "lost") return `lost${why}${heard}; it is tried again`;
    if (phase === "refused") return `it refuses to be watched${why}`;
    return phase === "live" && before !== "connecting" ? "it is back" : undefined;
  }
}

function standingOf({ standing = 0, lines }: Spoken): readonly string[] {
  return lines(0, standing).map(({ text }) => text);
}

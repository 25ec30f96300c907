import type { Fleet } from "../fleet/fleet.js";
import type { StateCount } from "../fleet/summary.js";
import type { Row } from "../row.js";
import { stateNumberOf } from "../state-number.js";
import { type StateStyle, styleOfWord, type Tone, unknownState, unreachableStyle } from "../states.js";
import { plainText } from "../text/plain-text.js";
import type { Condition } from "./role.js";
import type { SceneNote, SceneThing } from "./scene.js";

/** What the things of a map look like now, by what the fleet says of them. Made for one drawing. */
export class Looks {
  readonly #fleet: Fleet;
  readonly #conditions = new Map<string, Condition>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  /** The resource that a thing is; of a bundle of cables the worst of them. */
  rowOf({ kind, name, members }: Pick<SceneThing, "kind" | "name" | "members">): Row | undefined {
    if (members === undefined) return kind === "" ? undefined : this.#fleet.find(kind, name);
    return members
      .flatMap((member) => this.#fleet.find(kind, member) ?? [])
      .reduce<Row | undefined>(
        (worst, row) => (worst === undefined || this.#isWorse(row, worst) ? row : worst),
        undefined,
      );
  }

  /** Symbol, word and tone of a thing's state. */
  styleOf(thing: SceneThing): StateStyle {
    const row = this.rowOf(thing);
    if (row !== undefined) return this.styleOfRow(row);
    // An agent that is asked itself does not list its own host.
    return thing.frame === "host" && this.#fleet.isReachable(thing.host) ? styleOfWord("ready") : unknownState;
  }

  styleOfRow(row: Row): StateStyle {
    const kind = this.#fleet.kinds.find(row.kind);
    const pending = this.#fleet.pendingOf(row.name);
    if (pending !== undefined) return { symbol: "◐", word: pending.verb, tone: "busy" };
    if (kind?.presence === undefined && !this.#fleet.isReachable(row.host)) return unreachableStyle;
    const own = kind?.map?.styleOf?.(row.resource);
    if (own !== undefined || kind?.styleOf === undefined) return own ?? styleOfWord("up");
    return kind.styleOf(stateNumberOf(kind, row.resource));
  }

  /** What befalls the frames of a cable. */
  conditionOf(name: string): Condition {
    const known = this.#conditions.get(name);
    if (known !== undefined) return known;
    const condition = this.#conditionOf(name);
    this.#conditions.set(name, condition);
    return condition;
  }

  /** Symbol and tone of a cable: an impaired one has a symbol of its own, whatever its state. */
  styleOfCable(thing: SceneThing): StateStyle {
    const style = this.styleOf(thing);
    const row = this.rowOf(thing);
    const isImpaired = row !== undefined && style.tone === "good" && this.conditionOf(row.name) === "impaired";
    return isImpaired ? { symbol: "≈", word: `${style.word}, impaired`, tone: "warn" } : style;
  }

  /** The text of a note. */
  noteOf(thing: SceneThing, { end, index, isBrief }: SceneNote): string {
    if (thing.frame === "host") return this.#contents(thing.host, index);
    const row = this.rowOf(thing);
    const map = row === undefined ? undefined : this.#fleet.kinds.find(row.kind)?.map;
    if (row === undefined || map === undefined) return "";
    if (map.shape === "cable") return plainText(map.figuresOf?.(row.resource)[index] ?? "");
    const word = map.endsOf(row.resource, row.name).find(({ name }) => name === end)?.word ?? "";
    const more = isBrief === true ? "" : (map.noteOf?.(row.resource, end) ?? "");
    return plainText([word, more].filter((part) => part !== "").join(" "));
  }

  #conditionOf(name: string): Condition {
    const kind = this.#fleet.kinds.findByName(name);
    const row = kind === undefined ? undefined : this.#fleet.find(kind.kind, name);
    if (kind === undefined || row === undefined) return "whole";
    const { tone } = this.styleOfRow(row);
    if (tone === "bad") return "broken";
    const own = kind.map?.conditionOf?.(row.resource);
    return own ?? (tone === "warn" ? "impaired" : "whole");
  }

  /** What is on a host: how many of each kind, then how its instances are. */
  #contents(host: string, index: number): string {
    const contents = this.#fleet.contentsOf(host);
    const words = contents.flatMap(({ kind, count }) => {
      const known = this.#fleet.kinds.find(kind);
      const { short, rank } = known?.counted ?? { short: kind, rank: 3 };
      return known?.map === undefined || rank > 2 ? [] : [`${short} ${count}`];
    });
    if (index === 0) return words.join("  ");
    return contents
      .flatMap(({ kind }) => this.#statesOn(host, kind))
      .map(({ style, count }) => `${style.symbol}${count}`)
      .join(" ");
  }

  /** How many of a kind that counts most are in each state. */
  #statesOn(host: string, kind: string): readonly StateCount[] {
    const known = this.#fleet.kinds.find(kind);
    if (known?.counted?.rank !== 1 || known.styleOf === undefined) return [];
    const { styleOf } = known;
    const counts = [...this.#fleet.table(kind).statesOn(host)];
    if (!this.#fleet.isReachable(host))
      return [{ style: unreachableStyle, count: counts.reduce((sum, [, n]) => sum + n, 0) }];
    return counts
      .map(([state, count]) => ({ style: styleOf(state), count }))
      .sort((left, right) => rank[left.style.tone] - rank[right.style.tone]);
  }

  #isWorse(left: Row, right: Row): boolean {
    return rank[this.styleOfRow(left).tone] > rank[this.styleOfRow(right).tone];
  }
}

const rank: Readonly<Record<Tone, number>> = {
  plain: 0,
  strong: 0,
  accent: 0,
  good: 0,
  dim: 1,
  busy: 2,
  warn: 3,
  bad: 4,
};

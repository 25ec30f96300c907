import { setImmediate as nextTurn } from "node:timers/promises";
import type { NamedMessage } from "../kinds/codecs.js";
import type { WatchLog } from "../watch/watch-log.js";
import { SampleText, type Sampled } from "./family.js";
import { type FigureReading, figureGroups, findFigureGroup } from "./figure-families.js";
import { fleetFamilies } from "./fleet-families.js";
import { type OwnFacts, ownFamilies } from "./own-families.js";

/** Longest that it holds the loop at once; the clock is looked at every few resources. */
const turnMs = 3;
const resourcesBetweenLooks = 8;

/** What a program tells of. */
export interface Told {
  /** All that it has observed. */
  readonly log: WatchLog;
  readonly own: OwnFacts;
  /** All that is measured, as it was measured last. */
  readonly measured: () => Iterable<FigureReading>;
}

/**
 * All that a program knows, in the text format of Prometheus, piece by piece: read straight off what it has observed, while others have
 * their turns in between. A family is whole, and each resource is as it was when it was read.
 */
export async function* exposition({ log, own, measured }: Told): AsyncGenerator<string> {
  const turns = new Turns();
  const texts = ownFamilies.map((family) => sampled(family, own));
  yield texts.flatMap(({ pieces }) => pieces).join("");
  for (const [kind, families] of Object.entries(fleetFamilies)) {
    // Each list of families stands at the kind whose resources they take; Object.entries forgets that.
    const taken = (families as readonly Sampled<NamedMessage>[]).map((family) => ({
      family,
      text: new SampleText(family),
    }));
    // A copy of what is there now: it changes while others have their turn.
    for (const kept of [...log.index(kind).all("")]) {
      const { value } = kept;
      for (const { family, text } of taken) family.sample(value, text.emit);
      if (turns.isOver()) await turns.next();
    }
    yield* told(taken, turns);
  }
  yield* figures(measured(), turns);
}

/** What is measured: each thing is looked at once, and the families of its sort are told when all were. */
async function* figures(readings: Iterable<FigureReading>, turns: Turns): AsyncGenerator<string> {
  const groups = new Map(
    figureGroups.map((group) => [group, group.families.map((family) => ({ family, text: new SampleText(family) }))]),
  );
  for (const reading of readings) {
    const found = findFigureGroup(reading.name, reading.part);
    if (found === undefined) continue;
    for (const { family, text } of groups.get(found.group) ?? []) family.sample(reading, found.labels, text.emit);
    if (turns.isOver()) await turns.next();
  }
  for (const taken of groups.values()) yield* told(taken, turns);
}

async function* told(taken: readonly { readonly text: SampleText }[], turns: Turns): AsyncGenerator<string> {
  for (const { text } of taken) {
    for (const piece of text.pieces) {
      yield piece;
      if (turns.hasLasted()) await turns.next();
    }
  }
}

/** Whose turn it is: what is told must not hold the loop. */
class Turns {
  #begin = performance.now();
  #seen = 0;

  /** Asked after each resource: whether others should have their turn. */
  isOver(): boolean {
    this.#seen += 1;
    return this.#seen % resourcesBetweenLooks === 0 && this.hasLasted();
  }

  hasLasted(): boolean {
    return performance.now() - this.#begin > turnMs;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#begin = performance.now();
  }
}

function sampled<Source>(family: Sampled<Source>, source: Source): SampleText {
  const text = new SampleText(family);
  family.sample(source, text.emit);
  return text;
}

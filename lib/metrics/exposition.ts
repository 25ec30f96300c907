import { setImmediate as nextTurn } from "node:timers/promises";
import type { NamedMessage } from "../kinds/codecs.js";
import type { WatchLog } from "../watch/watch-log.js";
import { SampleText, type Sampled } from "./family.js";
import { fleetFamilies } from "./fleet-families.js";
import { type OwnFacts, ownFamilies } from "./own-families.js";

/** Longest that it holds the loop at once; the clock is looked at every few resources. */
const turnMs = 3;
const resourcesBetweenLooks = 8;

/**
 * All that a program knows, in the text format of Prometheus, piece by piece: read straight off what it has observed, while others have
 * their turns in between. A family is whole, and each resource is as it was when it was read.
 */
export async function* exposition(log: WatchLog, own: OwnFacts): AsyncGenerator<string> {
  let begin = performance.now();
  const texts = ownFamilies.map((family) => sampled(family, own));
  yield texts.flatMap(({ pieces }) => pieces).join("");
  for (const [kind, families] of Object.entries(fleetFamilies)) {
    // Each list of families stands at the kind whose resources they take; Object.entries forgets that.
    const taken = (families as readonly Sampled<NamedMessage>[]).map((family) => ({
      family,
      text: new SampleText(family),
    }));
    let seen = 0;
    // A copy of what is there now: it changes while others have their turn.
    for (const kept of [...log.index(kind).all("")]) {
      const { value } = kept;
      for (const { family, text } of taken) family.sample(value, text.emit);
      seen += 1;
      if (seen % resourcesBetweenLooks === 0 && performance.now() - begin > turnMs) {
        await nextTurn();
        begin = performance.now();
      }
    }
    for (const { text } of taken) {
      for (const piece of text.pieces) {
        yield piece;
        if (performance.now() - begin < turnMs) continue;
        await nextTurn();
        begin = performance.now();
      }
    }
  }
}

function sampled<Source>(family: Sampled<Source>, source: Source): SampleText {
  const text = new SampleText(family);
  family.sample(source, text.emit);
  return text;
}

import { expect, test } from "vitest";
import { FairTurns } from "../../../../../hub/relay/splice/fair-turns.js";

/** Turns of each pair while all that are given always have something to move. */
function serve(pairs: ReadonlyMap<number, readonly [string, string]>, rounds: number): Map<number, number> {
  const turns = new FairTurns();
  for (const [pair, hosts] of pairs) turns.add(pair, hosts);
  const served = new Map<number, number>();
  for (const pair of pairs.keys()) turns.wants(pair);
  for (let round = 0; round < rounds; round += 1) {
    for (const pair of turns.take()) {
      served.set(pair, (served.get(pair) ?? 0) + 1);
      turns.wants(pair);
    }
  }
  return served;
}

test("a host with many links takes no more turns than one with a single link", () => {
  const greedy = Array.from({ length: 40 }, (_, at): [number, [string, string]] => [at, ["m", `v${at % 7}`]]);
  const served = serve(new Map([...greedy, [100, ["a", "b"]]]), 400);
  expect(served.get(100)).toBe(400);
  const ofGreedy = greedy.map(([pair]) => served.get(pair));
  expect(ofGreedy).toEqual(greedy.map(() => 10));
});

test("whoever is linked to a greedy host keeps his own share of what goes elsewhere", () => {
  const greedy = Array.from({ length: 10 }, (_, at): [number, [string, string]] => [at, ["m", "a"]]);
  // a has one more pair than m: what counts for m counts for it.
  const served = serve(new Map([...greedy, [50, ["a", "b"]], [60, ["c", "d"]]]), 110);
  expect(served.get(60)).toBe(110);
  expect(served.get(50)).toBe(10);
});

test("every pair has its turn, and those with nothing to move have none", () => {
  const turns = new FairTurns();
  turns.add(1, ["a", "b"]);
  turns.add(2, ["c", "d"]);
  expect(turns.isIdle).toBe(true);
  turns.wants(2);
  turns.wants(2);
  turns.wants(3);
  expect(turns.take()).toEqual([2]);
  expect(turns.isIdle).toBe(true);
  turns.wants(1);
  turns.remove(1);
  expect(turns.take()).toEqual([]);
});

import { expect, test } from "vitest";
import { type GivenBack, isWorthCollecting, MemoryKeeper, ownMemory } from "../../../lib/memory-keeper.js";

const mib = 1024 * 1024;

test("memory is given back when much of it was left behind and nobody waits, and not again before it has grown anew", () => {
  const memory = { mib: 100, busy: 0.9, collections: 0 };
  const given: GivenBack[] = [];
  const keeper = new MemoryKeeper(
    {
      rssBytes: () => memory.mib * mib,
      busy: () => memory.busy,
      giveBack: () => {
        memory.collections += 1;
        memory.mib = 110;
      },
    },
    (each) => given.push(each),
  );
  memory.mib = 600;
  keeper.look();
  expect(memory.collections).toBe(0);
  memory.busy = 0.1;
  keeper.look();
  expect(given).toEqual([{ beforeBytes: 600 * mib, afterBytes: 110 * mib }]);
  // V8 lets go of pages only with the next collection.
  keeper.look();
  expect(memory.collections).toBe(2);
  memory.mib = 130;
  keeper.look();
  expect(memory.collections).toBe(2);
  // What V8 gave back by itself does not count as given.
  memory.mib = 80;
  keeper.look();
  memory.mib = 120;
  keeper.look();
  expect(memory.collections).toBe(3);
});

test.each([
  ["a small heap", 60, 59, true],
  ["a large heap of which nothing is known", 500, 0, true],
  ["a large heap that is mostly garbage", 500, 200, true],
  ["a large heap that mostly lives", 500, 400, false],
])("%s is collected when that is worth its pause", (_what, heap, live, worth) => {
  expect(isWorthCollecting(heap * mib, live * mib)).toBe(worth);
});

test("the memory of this process can be given back", async () => {
  const memory = ownMemory();
  let garbage: Buffer[] | undefined = Array.from({ length: 3000 }, () => Buffer.allocUnsafeSlow(32 * 1024).fill(1));
  const full = memory.rssBytes();
  expect(garbage.length * 32 * 1024).toBeLessThan(full);
  garbage = undefined;
  await new Promise((resolve) => setTimeout(resolve));
  // V8 frees what buffers held in a thread of its own, and its pages with the next collection: a keeper asks twice.
  const givenBack = (): number => {
    memory.giveBack();
    return full - memory.rssBytes();
  };
  await expect.poll(givenBack).toBeGreaterThan(60 * mib);
  expect(memory.busy()).toBeGreaterThanOrEqual(0);
});

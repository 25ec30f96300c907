import { expect, test } from "vitest";
import { Turns, type Work } from "../../../../hub/kit/turns.js";

/** Work that takes so long, in parts of a millisecond. */
function* busy(ms: number): Work<number> {
  for (let part = 0; part < ms; part += 1) {
    const until = performance.now() + 1;
    while (performance.now() < until);
    yield;
  }
  return ms;
}

test("long work lets others have their turn, and each caller's own waits for himself only", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const mine = Array.from({ length: 5 }, () => turns.run("ana", busy(30)).then(() => done.push("ana")));
  const other = turns.run("bob", busy(30)).then(() => done.push("bob"));
  let looks = 0;
  const looking = setInterval(() => {
    looks += 1;
  }, 1);
  await Promise.all([...mine, other]);
  clearInterval(looking);
  expect(looks).toBeGreaterThan(5);
  expect(done.indexOf("bob")).toBeLessThan(3);
});

test("short work is done at once, and what it throws is told", async () => {
  const turns = new Turns();
  await expect(turns.run("ana", busy(1))).resolves.toBe(1);
  const failing = function* (ms: number): Work<number> {
    yield* busy(ms);
    throw new Error("no");
  };
  await expect(turns.run("ana", failing(1))).rejects.toThrow("no");
  await expect(turns.run("ana", failing(30))).rejects.toThrow("no");
  await expect(turns.run("ana", busy(30))).resolves.toBe(30);
});

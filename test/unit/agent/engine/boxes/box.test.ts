import { closeSync, openSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Box } from "../../../../../agent/engine/boxes/box.js";
import { counter, createCounters } from "../../../../../agent/engine/impair/counters.js";
import { ChunkPool } from "../../../../../agent/engine/impair/frame-queue.js";
import { noImpairment } from "../../../../../agent/engine/impair/settings.js";

/** Gives frames of zeros without end and takes any. */
let zeros: number;

beforeAll(() => {
  zeros = openSync("/dev/zero", "r+");
});

afterAll(() => closeSync(zeros));

/** Loses half of the frames of both directions and tells how many so far, by turn, of each. */
function losses(seed: bigint): readonly [number[], number[]] {
  const taps = [0, 1].map((side) => ({ name: `zt${side}`, fd: zeros, counters: createCounters() }));
  const [a, b] = taps;
  if (a === undefined || b === undefined) throw new Error("a box has two taps");
  const box = new Box({ id: 1, taps: [a, b], offload: "none", pool: new ChunkPool(), reportLost: () => undefined });
  const direction = { standing: { ...noImpairment, lossRatio: 0.5 }, steps: [] };
  box.set({ directions: [direction, direction], seed, setMs: 0 }, 0, 0);
  const lost: [number[], number[]] = [[], []];
  for (let turn = 1; turn <= 8; turn += 1) {
    for (const side of [0, 1] as const) {
      box.onTap(side, turn);
      lost[side].push(taps[side]?.counters[counter.lostFrames] ?? 0);
    }
  }
  box.free();
  return lost;
}

test("one seed does the same to each direction run after run, and something else to the other", () => {
  const [aToB, bToA] = losses(7n);
  expect(losses(7n)).toEqual([aToB, bToA]);
  expect(aToB).not.toEqual(bToA);
  expect(losses(8n)).not.toContainEqual(aToB);
  expect(Math.min(...aToB, ...bToA)).toBeGreaterThan(0);
});

import { expect, it } from "vitest";
import type { Facts } from "../../../../../agent/kinds/volume/volume-facts.js";
import { VolumeMoves } from "../../../../../agent/kinds/volume/volume-moves.js";
import type { VolumeWork } from "../../../../../agent/kinds/volume/volume-work.js";
import { KeyedQueue } from "../../../../../lib/keyed-queue.js";

const place = { pool: "one", storageId: "u1", format: "raw", sizeMib: 1 } as const;

/** A volume with these facts, on a disk that takes nothing until it does. */
function onFullDisk(first: Facts) {
  const logged: string[] = [];
  const disk = { isFull: true };
  let facts = first;
  const busy = new Map<string, string>();
  const backend = { remove: async () => undefined };
  const one = () => ({
    ...{ id: "data", facts, isDoomed: false },
    resource: { name: "hosts/h/volumes/data", uid: "u1", spec: { pool: "one", format: "raw", sizeMib: 1n } },
  });
  const moves = new VolumeMoves({
    ...{ queue: new KeyedQueue(), busy, whole: one },
    context: {
      logError: (_: unknown, text: string) => void logged.push(text),
      pools: { find: () => ({ reason: "", pool: {}, backend }) },
    },
    made: {
      ...{ all: () => [one()], has: () => true, get: one, report: () => undefined },
      setFacts: async (_: string, now: Facts) => {
        if (disk.isFull) throw new Error("the disk is full");
        facts = now;
      },
    },
  } as unknown as VolumeWork);
  return { moves, disk, logged, busy, facts: () => facts };
}

it("never rejects while it tidies up: the agent would end", async () => {
  const { moves, disk, logged, facts } = onFullDisk({ growToMib: 0, leftovers: [place] });
  await moves.tidy();
  expect(logged).toHaveLength(1);
  disk.isFull = false;
  await moves.tidy();
  expect(facts().leftovers).toBeUndefined();
});

it("lets nobody open a volume whose move could not be settled, and tries again", async () => {
  const move = { from: place, to: { ...place, pool: "two" }, phase: "copying" } as const;
  const { moves, disk, busy, facts } = onFullDisk({ growToMib: 0, move });
  await moves.restore();
  expect(busy.get("data")).toBe("moved");
  await moves.tidy();
  expect(busy.get("data")).toBe("moved");
  disk.isFull = false;
  await moves.tidy();
  expect([busy.size, facts().move, facts().leftovers]).toEqual([0, undefined, undefined]);
});

import { expect, it } from "vitest";
import type { Facts } from "../../../../../agent/kinds/volume/volume-facts.js";
import { VolumeReplacements, type ReplacementOptions } from "../../../../../agent/kinds/volume/volume-replacements.js";
import { KeyedQueue } from "../../../../../lib/keyed-queue.js";

const place = { pool: "one", storageId: "new", format: "raw", sizeMib: 1 } as const;
const old = { ...place, storageId: "u1" };

/** A volume that is being restored, on a disk that may be full, and the instances that are there. */
function restored({ isFull = false, instances = ["vm-uid"] }: { isFull?: boolean; instances?: string[] } = {}) {
  const disk = { isFull };
  const busy = new Map<string, string>();
  let facts: Facts = { growToMib: 0, replacement: { place, holder: "vm-uid" } };
  const one = () => ({
    ...{ id: "data", facts, isDoomed: false },
    resource: { name: "hosts/h/volumes/data", uid: "u1", spec: { pool: "one", format: "raw", sizeMib: 1n } },
  });
  const replacements = new VolumeReplacements({
    ...{ queue: new KeyedQueue(), busy, whole: one, look: async () => undefined },
    removeLeftovers: async () => undefined,
    context: {
      logError: () => undefined,
      instances: { get: () => ({ list: () => instances.map((uid) => ({ uid })) }) },
    },
    made: {
      ...{ all: () => [one()], get: one },
      setFacts: async (_: string, now: Facts) => {
        if (disk.isFull) throw new Error("the disk is full");
        facts = now;
      },
    },
  } as unknown as ReplacementOptions);
  replacements.restore();
  return { replacements, disk, busy, facts: () => facts };
}

it.each([
  ["new", { storageId: "new", leftovers: [old] }],
  ["old", { leftovers: [place] }],
] as const)("keeps the %s storage, and the other one is left to be removed", async (keep, known) => {
  const { replacements, busy, facts } = restored();
  expect(busy.get("data")).toBe("restored");
  await replacements.settle("another-uid", keep);
  expect(busy.size).toBe(1);
  await replacements.settle("vm-uid", keep);
  expect(facts()).toEqual({ growToMib: 0, ...known });
  expect(busy.size).toBe(0);
});

it("tries again what could not be written down, and does not go back on it", async () => {
  const { replacements, disk, busy, facts } = restored({ isFull: true });
  await expect(replacements.settle("vm-uid", "new")).rejects.toThrow("full");
  await replacements.tidy();
  expect(busy.get("data")).toBe("restored");
  disk.isFull = false;
  await replacements.tidy();
  expect([facts().storageId, busy.size]).toEqual(["new", 0]);
});

it("waits for who restores it as long as that is there, and drops what was made when it is not", async () => {
  const waiting = restored();
  await waiting.replacements.tidy();
  expect(waiting.facts().replacement).toBeDefined();
  const gone = restored({ instances: [] });
  await gone.replacements.tidy();
  expect(gone.facts()).toEqual({ growToMib: 0, leftovers: [place] });
});

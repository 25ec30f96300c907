import { expect, it } from "vitest";
import type { AgentContext } from "../../../../../agent/parts.js";
import type { UsesVolumes } from "../../../../../agent/drivers/abilities/volumes.js";
import { type MovingVolumes, moveVolume, removeLeftovers, settleMove } from "../../../../../agent/kinds/volume/move.js";
import { type Facts, type MadeVolume, type Place, poolsOf } from "../../../../../agent/kinds/volume/volume-facts.js";
import { failedPrecondition, unavailable } from "../../../../../lib/errors.js";
import { Volume } from "../../../../../proto/gen/zor/v1/volume.js";

const name = "hosts/h/volumes/data";
const instance = "hosts/h/instances/vm";
const options = {
  ...{ state: "/nowhere", resource: name, bytesPerSecond: 0 },
  ...{ signal: new AbortController().signal, progress: () => undefined },
};

/** A volume in pool "one", which a machine runs on that does what a test says when it is to go over. */
function running(
  goOver: (node: { now: string | undefined }, commit: (node: string) => Promise<void>) => Promise<void>,
) {
  const removed: string[] = [];
  const held = new Set<string>();
  const node: { now: string | undefined } = { now: "before" };
  const pools = new Set(["one", "two"]);
  let [spec, facts]: [Place, Facts] = [{ pool: "one", storageId: "u1", format: "raw", sizeMib: 1 }, { growToMib: 0 }];
  const made = (): MadeVolume => ({
    ...{ id: "data", facts, isDoomed: false },
    resource: Volume.fromPartial({
      ...{ name, uid: "u1" },
      spec: { pool: spec.pool, format: spec.format, sizeMib: BigInt(spec.sizeMib) },
    }) as MadeVolume["resource"],
  });
  const usable = (pool: string) => ({
    pool: { id: pool },
    reason: "",
    backend: {
      formats: ["raw"],
      create: async () => undefined,
      source: async () => ({ kind: "remote", node: {} }),
      remove: async (_: unknown, { uid }: { uid: string }) =>
        void removed.push(`${pool}/${uid === "u1" ? uid : "new"}`),
    },
  });
  const volumesOfDriver: Partial<UsesVolumes> = {
    findRunning: async () => {
      if (node.now === undefined) throw unavailable("MACHINE_SILENT", instance, "it does not answer");
      return { node: node.now, sizeBytes: 1048576n };
    },
    moveVolume: (_, { commit }) => goOver(node, commit),
  };
  const subject = { handle: { pid: 1 }, instance: { name: instance }, driver: { can: { volumes: volumesOfDriver } } };
  const volumes = {
    context: {
      state: "/nowhere",
      logError: () => undefined,
      references: {
        assertThere: ([{ id }]: readonly [{ id: string }]) => {
          if (!pools.has(id)) throw failedPrecondition("GONE", id, `${id} is gone`);
        },
      },
      pools: { find: (pool: string) => (pools.has(pool) ? usable(pool) : undefined) },
      holders: { of: () => [{ instance, part: "disk0", readOnly: false }] },
      instances: {
        get: () => ({
          look: () => subject,
          claim: (_: string, __: unknown, work: (one: unknown) => Promise<void>) => work({ subject: () => subject }),
        }),
      },
    } as unknown as AgentContext,
    get: made,
    pool: usable as unknown as MovingVolumes["pool"],
    setFacts: async (_: string, now: Facts) => {
      facts = now;
    },
    setPlace: async (_: string, place: Place) => {
      spec = place;
    },
    hold: (id: string) => {
      held.add(id);
      return { [Symbol.dispose]: () => void held.delete(id) };
    },
  } satisfies MovingVolumes;
  return { volumes, removed, node, made, pools };
}

it("keeps what a machine has gone over to, even when the machine then says that something failed", async () => {
  const { volumes, removed, made } = running(async (node, commit) => {
    await commit("after");
    node.now = "after";
    throw unavailable("MACHINE_SILENT", instance, "it has not answered in time");
  });
  await moveVolume(volumes, "data", "two", options);
  expect([made().resource.spec.pool, removed]).toEqual(["two", ["one/u1"]]);
  expect(made().facts?.move).toBeUndefined();
});

it("removes the copy when the machine goes on with what it had", async () => {
  const { volumes, removed, made } = running(async (_, commit) => {
    await commit("after");
    throw failedPrecondition("REFUSED", instance, "it refuses");
  });
  await expect(moveVolume(volumes, "data", "two", options)).rejects.toThrow("it refuses");
  expect([made().resource.spec.pool, removed, made().facts?.move]).toEqual(["one", ["two/new"], undefined]);
});

it("removes nothing while nobody can tell, has no other move then, and settles it once it can", async () => {
  const { volumes, removed, node, made } = running(async (its, commit) => {
    await commit("after");
    its.now = undefined;
    throw unavailable("MACHINE_SILENT", instance, "it does not answer");
  });
  await expect(moveVolume(volumes, "data", "two", options)).rejects.toThrow("does not answer");
  expect([removed, made().facts?.move?.phase]).toEqual([[], "switching"]);
  await expect(moveVolume(volumes, "data", "two", options)).rejects.toThrow("could not be ended");
  await expect(settleMove(volumes, "data")).rejects.toThrow("does not answer");
  node.now = "after";
  expect(await settleMove(volumes, "data")).toContain("was finished");
  expect([made().resource.spec.pool, removed]).toEqual(["two", ["one/u1"]]);
});

it("uses the pool that it moves to from when that is written down, and does not move to one that has gone until then", async () => {
  const seen: (readonly string[])[] = [];
  const one = running(async () => void seen.push(poolsOf(one.made())));
  await moveVolume(one.volumes, "data", "two", options);
  expect([seen, poolsOf(one.made())]).toEqual([[["one", "two"]], ["two"]]);
  const other = running(async () => undefined);
  other.pools.delete("two");
  await expect(moveVolume(other.volumes, "data", "two", options)).rejects.toThrow("two is gone");
  expect([other.made().resource.spec.pool, other.made().facts?.move]).toEqual(["one", undefined]);
});

it("writes nothing down anew while what is left is in a pool that cannot be had", async () => {
  const { volumes, made, removed, pools } = running(async () => undefined);
  pools.delete("one");
  await moveVolume(volumes, "data", "two", options);
  const facts = made().facts;
  expect(facts?.leftovers).toHaveLength(1);
  await removeLeftovers(volumes, "data");
  expect(made().facts).toBe(facts);
  pools.add("one");
  await removeLeftovers(volumes, "data");
  expect([made().facts?.leftovers, removed]).toEqual([undefined, ["one/u1"]]);
});

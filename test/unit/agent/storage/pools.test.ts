import { expect, it } from "vitest";
import { unavailable } from "../../../../lib/errors.js";
import { PoolSpec } from "../../../../proto/gen/zor/v1/pool.js";
import type { PoolBackend, StoragePool } from "../../../../agent/storage/pool-backend.js";
import { Pools } from "../../../../agent/storage/pools.js";
import { inShareTurn } from "../../../../agent/storage/share-turns.js";

const pool: StoragePool = {
  ...{ id: "nas", uid: "u1", name: "hosts/h/pools/nas" },
  spec: PoolSpec.fromPartial({ backend: { $case: "nfs", value: { server: "nas", export: "/lab" } } }),
};

/** Storage whose opening ends when the test says so. */
function slowStorage() {
  const calls: string[] = [];
  let answer = Promise.withResolvers<void>();
  const backend = {
    kind: "nfs",
    formats: ["raw"],
    open: () => {
      calls.push("open");
      answer = Promise.withResolvers<void>();
      return answer.promise;
    },
    close: async () => void calls.push("close"),
    capacity: async () => ({ totalBytes: 8n, freeBytes: 8n }),
  } as unknown as PoolBackend;
  return { backend, calls, answer: () => answer };
}

it("waits for no server when it begins: the pool is unavailable until that answers, and opened once", async () => {
  const { backend, calls, answer } = slowStorage();
  const pools = new Pools([backend]);
  await pools.reopen(pool);
  expect(() => pools.get("nas", pool.name)).toThrow("hosts/h/pools/nas is not available: opening");
  await pools.refresh("nas");
  expect(calls).toEqual(["open"]);
  answer().resolve();
  await pools.opened("nas");
  expect(pools.get("nas", pool.name).backend).toBe(backend);
});

it("tells why when the server has not answered, and tries again", async () => {
  const { backend, calls, answer } = slowStorage();
  const pools = new Pools([backend]);
  await pools.reopen(pool);
  answer().reject(unavailable("STORAGE_SILENT", pool.name, "nas does not answer"));
  await pools.allOpened(new AbortController().signal);
  expect(() => pools.get("nas", pool.name)).toThrow("nas does not answer");
  const again = pools.refresh("nas");
  answer().resolve();
  await again;
  expect(pools.find("nas")?.reason).toBe("");
  expect(calls).toEqual(["open", "open"]);
});

it("lets go of a pool that is being opened only afterwards", async () => {
  const { backend, calls, answer } = slowStorage();
  const pools = new Pools([backend]);
  await pools.reopen(pool);
  // Nor does the end of the agent wait for it.
  const ending = new AbortController();
  const all = pools.allOpened(ending.signal);
  ending.abort();
  await all;
  const closed = pools.close(pool);
  expect(calls).toEqual(["open"]);
  answer().resolve();
  await closed;
  expect(calls).toEqual(["open", "close"]);
  expect(pools.find("nas")).toBeUndefined();
});

it("opens no pool again that is being let go of, and has it as it was when that fails", async () => {
  const { backend, calls, answer } = slowStorage();
  const closing = Promise.withResolvers<void>();
  backend.close = () => closing.promise;
  const pools = new Pools([backend]);
  await pools.reopen(pool);
  answer().reject(unavailable("STORAGE_SILENT", pool.name, "nas does not answer"));
  await pools.opened("nas");
  const closed = pools.close(pool);
  await pools.opened("nas");
  await pools.refresh("nas");
  expect(calls).toEqual(["open"]);
  closing.reject(new Error("it is busy"));
  await expect(closed).rejects.toThrow("it is busy");
  expect(pools.find("nas")?.reason).toContain("nas does not answer");
});

it("has no more than two wait for files of servers, and the next when one is done, however that ended", async () => {
  const first = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const began: number[] = [];
  const held = first.map(({ promise }, index) =>
    inShareTurn(() => {
      began.push(index);
      return promise;
    }),
  );
  const third = inShareTurn(async () => began.push(2));
  await Promise.resolve();
  expect(began).toEqual([0, 1]);
  first[0]?.reject(new Error("no answer"));
  await expect(held[0]).rejects.toThrow("no answer");
  await third;
  expect(began).toEqual([0, 1, 2]);
  first[1]?.resolve();
  await held[1];
});

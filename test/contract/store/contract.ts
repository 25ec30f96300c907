import { describe, expect, test } from "vitest";
import type { Change, Store, StoredRecord } from "../../../hub/store/store.js";

/** A store that can be closed and opened again with the same content. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Closes the store and opens what it left. */
  reopen(): Promise<void>;
}

const put = (key: string, text: string, expect?: bigint): Change => ({
  type: "put",
  collection: "hosts",
  key,
  value: Buffer.from(text),
  ...(expect === undefined ? {} : { expect }),
});
const remove = (key: string, expect?: bigint): Change => ({
  type: "delete",
  collection: "hosts",
  key,
  ...(expect === undefined ? {} : { expect }),
});
const textOf = (record: StoredRecord | undefined): string | undefined =>
  record === undefined ? undefined : Buffer.from(record.value).toString();

/** What every store keeps to. */
export function testStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, kept by ${name}`, () => {
    test("what was committed is there, also after closing and opening", async () => {
      await using under = await open();
      await under.store.commit([put("a", "one"), put("b", "two")]);
      await under.reopen();
      expect(textOf(await under.store.get("hosts", "a"))).toBe("one");
      expect((await under.store.list("hosts")).map(({ key }) => key)).toEqual(["a", "b"]);
    });

    test("a collection is listed in the order of its keys, apart from other collections", async () => {
      await using under = await open();
      await under.store.commit([put("b", "2"), put("a", "1"), { ...put("c", "3"), collection: "links" }]);
      expect((await under.store.list("hosts")).map(({ key }) => key)).toEqual(["a", "b"]);
      expect(await under.store.get("hosts", "c")).toBeUndefined();
    });

    test("a value of any bytes comes back as it was", async () => {
      await using under = await open();
      const value = Buffer.from([0, 255, 10, 0, 39, 128]);
      await under.store.commit([{ ...put("a", ""), value } as Change]);
      expect(Buffer.from((await under.store.get("hosts", "a"))?.value ?? [])).toEqual(value);
    });

    test("a commit of which one expectation does not hold changes nothing", async () => {
      await using under = await open();
      await under.store.commit([put("a", "one")]);
      await expect(under.store.commit([put("b", "two"), put("a", "other", 0n)])).rejects.toMatchObject({
        reason: "STORE_CONFLICT",
      });
      expect(await under.store.get("hosts", "b")).toBeUndefined();
      expect(textOf(await under.store.get("hosts", "a"))).toBe("one");
    });

    test("a revision that was read lets exactly one of two writers through", async () => {
      await using under = await open();
      await under.store.commit([put("a", "one")]);
      const { revision = 0n } = (await under.store.get("hosts", "a")) ?? {};
      const results = await Promise.allSettled([
        under.store.commit([put("a", "left", revision)]),
        under.store.commit([put("a", "right", revision)]),
      ]);
      expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    });

    test("a record that is deleted and made again never has an old revision", async () => {
      await using under = await open();
      await under.store.commit([put("a", "one")]);
      const { revision = 0n } = (await under.store.get("hosts", "a")) ?? {};
      await under.store.commit([remove("a", revision)]);
      await under.reopen();
      await under.store.commit([put("a", "two", 0n)]);
      await expect(under.store.commit([put("a", "three", revision)])).rejects.toMatchObject({
        reason: "STORE_CONFLICT",
      });
    });

    test("deleting what is not there is no error unless it was expected", async () => {
      await using under = await open();
      await under.store.commit([remove("a")]);
      await expect(under.store.commit([remove("a", 7n)])).rejects.toMatchObject({ reason: "STORE_CONFLICT" });
    });

    test("a closed store refuses calls, and closing it again does nothing", async () => {
      await using under = await open();
      await under.store.close();
      await under.store.close();
      await expect(under.store.commit([put("a", "one")])).rejects.toMatchObject({ reason: "STORE_CLOSED" });
    });
  });
}

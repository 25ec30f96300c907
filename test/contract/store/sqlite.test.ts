import { openSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toStoreError } from "../../../hub/store/sqlite-errors.js";
import { SqliteStore } from "../../../hub/store/sqlite-store.js";
import type { Store } from "../../../hub/store/store.js";
import { type StoreUnderTest, testStore } from "./contract.js";

class Directory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Directory> {
    return new Directory(await mkdtemp(join(tmpdir(), "zt-store-")));
  }

  get file(): string {
    return join(this.path, "hub.db");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

async function open(): Promise<StoreUnderTest> {
  const directory = await Directory.make();
  let store: Store = SqliteStore.open(directory.file);
  return {
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      store = SqliteStore.open(directory.file);
    },
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

testStore("SQLite", open);

describe("the SQLite store", () => {
  test("a second one on the same file is refused while the first is open, and let in after", async () => {
    await using directory = await Directory.make();
    const first = SqliteStore.open(directory.file);
    expect(() => SqliteStore.open(directory.file)).toThrow(/another hub runs on this state directory/);
    await first.close();
    const second = SqliteStore.open(directory.file);
    await second.close();
  });

  test("files are readable by their owner only", async () => {
    await using directory = await Directory.make();
    const store = SqliteStore.open(directory.file);
    await store.commit([{ type: "put", collection: "hosts", key: "a", value: Buffer.from("b") }]);
    for (const file of [directory.file, `${directory.file}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    await store.close();
  });

  test("a file that is no database is refused as damaged and left as it is", async () => {
    await using directory = await Directory.make();
    writeFileSync(directory.file, "this is not a database, however long it may be ".repeat(100));
    const before = statSync(directory.file).size;
    expect(() => SqliteStore.open(directory.file)).toThrow(expect.objectContaining({ reason: "STORE_CORRUPT" }));
    expect(statSync(directory.file).size).toBe(before);
  });

  test.each([
    [
      "cut in the middle",
      (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2 / 4096) * 4096 + 100),
    ],
    [
      "overwritten in the middle",
      (file: string) => void writeSync(openSync(file, "r+"), Buffer.alloc(40_000, 0xa5), 0, 40_000, 8192),
    ],
  ])("a database that was %s is refused as damaged", async (_what, damage) => {
    await using directory = await Directory.make();
    const store = SqliteStore.open(directory.file);
    for (let index = 0; index < 200; index += 1) {
      await store.commit([{ type: "put", collection: "hosts", key: `h${index}`, value: Buffer.alloc(1000, index) }]);
    }
    await store.close();
    damage(directory.file);
    expect(() => SqliteStore.open(directory.file)).toThrow(expect.objectContaining({ reason: "STORE_CORRUPT" }));
  });

  test.each([
    [5, "STORE_LOCKED"],
    [13, "STORE_FULL"],
    [11, "STORE_CORRUPT"],
    [26, "STORE_CORRUPT"],
    [8, "STORE_ERROR"],
    [10, "STORE_ERROR"],
    // SQLITE_IOERR_WRITE: extended codes count as their primary one.
    [778, "STORE_ERROR"],
  ])("SQLite's result code %i is told as %s", (errcode, reason) => {
    expect(toStoreError(Object.assign(new Error("x"), { errcode }), "f").reason).toBe(reason);
  });
});

import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { SqliteStore } from "../../../hub/store/sqlite-store.js";

const put = (store: SqliteStore, key: string) =>
  store.commit([{ type: "put", collection: "hosts", key, value: Buffer.alloc(4000, 1) }]);

test("a full disk is told as such, changes nothing, and what was committed stays", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-full-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0700", "zt-full", directory]);
  try {
    const store = SqliteStore.open(join(directory, "hub.db"));
    await put(store, "first");
    writeFileSync(join(directory, "ballast"), Buffer.alloc(700_000));
    const filling = (async () => {
      for (let index = 0; index < 300; index += 1) await put(store, `h${index}`);
    })();
    await expect(filling).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "STORE_FULL" });
    const kept = (await store.list("hosts")).map(({ key }) => key);
    expect(kept).toContain("first");
    await rm(join(directory, "ballast"));
    await put(store, "again");
    await store.close();
    const reopened = SqliteStore.open(join(directory, "hub.db"));
    expect((await reopened.list("hosts")).map(({ key }) => key)).toEqual([...kept, "again"].sort());
    await reopened.close();
  } finally {
    await run("umount", [directory]);
    await rm(directory, { recursive: true });
  }
});

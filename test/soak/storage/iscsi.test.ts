import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addVolume, nodeBytes } from "../../../agent/drivers/qemu/blocks/volume-node.js";
import { IscsiBackend } from "../../../agent/storage/backends/iscsi.js";
import { workWithBlocks } from "../../../agent/storage/block-work.js";
import { openSource } from "../../../agent/storage/open-volume.js";
import type { StoragePool, StorageVolume } from "../../../agent/storage/pool-backend.js";
import { runTag } from "../../helpers/run-tag.js";
import { startTarget, type TestTarget } from "./iscsi-target.js";

const mib = 1024n * 1024n;
let state: string;
let target: TestTarget;
let backend: IscsiBackend;
let pool: StoragePool;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), `${runTag}-is-`));
  target = await startTarget([32, 64, 64]);
  await writeFile(join(state, "password"), `${target.password}\n`);
  backend = makeBackend();
  const value = { portal: target.portal, target: target.target };
  const spec = { description: "", backend: { $case: "iscsi" as const, value } };
  pool = { id: "san", uid: "p1", name: "hosts/h/pools/san", spec };
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await rm(state, { recursive: true, force: true });
});

function makeBackend(): IscsiBackend {
  const { portal: iscsi, target: name, user } = target;
  const passwordFile = join(state, "password");
  return new IscsiBackend({ state, policy: [{ iscsi, target: name, luns: [1, 2], user, passwordFile }] });
}

function volume(uid: string, sizeMib: bigint): StorageVolume {
  return { uid, name: `hosts/h/volumes/${uid}`, sizeBytes: sizeMib * mib, format: "raw" };
}

it("takes the smallest unit that is large enough, without what was on it, and shows the guest what was asked for", async () => {
  await using unit = await open(target.unitFile(2), "r+");
  await unit.write("somebody else's secret", 5 * 1024 * 1024);
  await backend.open(pool);
  expect(await backend.capacity(pool)).toEqual({ totalBytes: 96n * mib, freeBytes: 96n * mib });
  const wanted = volume("v1", 40n);
  await backend.create(pool, wanted);
  expect(await backend.capacity(pool)).toEqual({ totalBytes: 96n * mib, freeBytes: 32n * mib });
  expect((await readFile(target.unitFile(2))).every((byte) => byte === 0)).toBe(true);
  const source = await backend.source(pool, wanted);
  await using opened = await openSource(source, wanted, "r+");
  const size = await workWithBlocks({ state, resource: pool.name, network: true }, async (engine) => {
    await addVolume(engine, opened, { resource: wanted.name, nodeName: "it" });
    return await nodeBytes(engine, "it");
  });
  expect(size).toBe(40n * mib);
  // What it has is remembered by another agent on the same directory.
  expect(await makeBackend().capacity(pool)).toEqual({ totalBytes: 96n * mib, freeBytes: 32n * mib });
  await expect(backend.create(pool, volume("v2", 40n))).rejects.toThrow(
    /no logical unit .* luns in the agent's settings/,
  );
  await backend.remove(pool, wanted);
  await backend.remove(pool, wanted);
  expect((await backend.capacity(pool)).freeBytes).toBe(96n * mib);
});

it("refuses units that the settings do not name, and a wrong password, in words", async () => {
  await writeFile(join(state, "password"), "something-else\n");
  const other = makeBackend();
  await expect(other.open(pool)).rejects.toThrow(/hosts\/h\/pools\/san: its storage does not answer .*Authentication/i);
  await writeFile(join(state, "password"), `${target.password}\n`);
});

it("says that a target which never answers does not, in bounded time", async () => {
  target.signal("SIGSTOP");
  const other = makeBackend();
  await expect(other.open(pool)).rejects.toThrow(/does not answer/);
  target.signal("SIGCONT");
  await other.open(pool);
}, 120_000);

import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { CreatePoolRequest, PoolServiceService } from "../../../proto/gen/zor/v1/pool_service.js";
import {
  CreateVolumeRequest,
  MoveVolumeRequest,
  VolumeServiceService,
} from "../../../proto/gen/zor/v1/volume_service.js";
import { runTag } from "../../helpers/run-tag.js";
import { ApiFixture, parent } from "../agent/api-fixture.js";

const name = `${parent}/volumes/data`;
const bytes = 8 * 1024 * 1024;
let fast: string;
let api: ApiFixture;

beforeEach(async () => {
  fast = await realpath(await mkdtemp(join(tmpdir(), `${runTag}-m-`)));
  api = await ApiFixture.start({ storage: fast });
  const backend = { $case: "directory" as const, value: { path: fast } };
  await api.operator.unary(
    PoolServiceService.createPool,
    CreatePoolRequest.fromPartial({ parent, poolId: "fast", pool: { spec: { backend } } }),
  );
});
afterEach(async () => {
  await api.close();
  await rm(fast, { recursive: true, force: true });
});

const usual = (): string => join(api.state, "storage");
const show = async () => (await api.operator.unary(VolumeServiceService.getVolume, { name })).volume;

async function create(format: string): Promise<Buffer> {
  const spec = { sizeMib: 8n, format };
  const request = CreateVolumeRequest.fromPartial({ parent, volumeId: "data", volume: { spec } });
  const { operation } = await api.operator.unary(VolumeServiceService.createVolume, request);
  expect((await api.wait(operation)).state).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
  const content = randomBytes(bytes);
  if (format === "raw") await writeFile(join(usual(), (await readdir(usual()))[0] ?? ""), content);
  return content;
}

async function move(pool: string, more: Partial<MoveVolumeRequest> = {}) {
  const request = MoveVolumeRequest.fromPartial({ name, pool, ...more });
  const { operation } = await api.operator.unary(VolumeServiceService.moveVolume, request);
  return operation;
}

it("moves a volume with all that is in it, another time back, and nowhere that cannot be", async () => {
  const content = await create("raw");
  const done = await api.wait(await move("fast"));
  expect(done.error?.message ?? "").toBe("");
  expect(await readdir(usual())).toEqual([]);
  const [file = ""] = await readdir(fast);
  expect((await readFile(join(fast, file))).equals(content)).toBe(true);
  expect((await show())?.spec).toMatchObject({ pool: "fast", format: "raw", sizeMib: 8n });
  await api.restart();
  expect((await show())?.spec?.pool).toBe("fast");
  await api.wait(await move("default"));
  expect(await readdir(fast)).toEqual([]);
  expect((await readFile(join(usual(), (await readdir(usual()))[0] ?? ""))).equals(content)).toBe(true);
  const before = await readdir(usual());
  await expect(move("default")).rejects.toThrow("is in hosts/h1/pools/default already");
  await expect(move("nowhere")).rejects.toThrow("hosts/h1/pools/nowhere");
  await expect(move("../x")).rejects.toThrow("pool");
  await expect(move("fast", { bytesPerSecond: -1n })).rejects.toThrow("bytes_per_second");
  expect((await move("fast", { validateOnly: true }))?.verb).toBe("volume.move");
  expect(await readdir(usual())).toEqual(before);
  expect(await readdir(fast)).toEqual([]);
});

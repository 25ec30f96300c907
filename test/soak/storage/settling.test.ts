import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { CreatePoolRequest, PoolServiceService } from "../../../proto/gen/zor/v1/pool_service.js";
import { CreateVolumeRequest, VolumeServiceService } from "../../../proto/gen/zor/v1/volume_service.js";
import { eventually } from "../../helpers/eventually.js";
import { runTag } from "../../helpers/run-tag.js";
import { ApiFixture, parent } from "../../integration/agent/api-fixture.js";

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
const factsPath = (): string => join(api.state, "volumes", "data", "facts.json");
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

it.each(["copying", "switching", "switched"])("settles a move that was cut short while %s", async (phase) => {
  const content = await create("raw");
  const [was = ""] = await readdir(usual());
  const storageId = was.replace(/^zor-|\.raw$/g, "");
  const place = { pool: "default", storageId, format: "raw", sizeMib: 8 };
  const to = { pool: "fast", storageId: "aaaa-1", format: "raw", sizeMib: 8 };
  await writeFile(join(fast, "zor-aaaa-1.raw"), content);
  await writeFile(join(fast, "somebody-elses"), "x");
  await writeFile(factsPath(), JSON.stringify({ growToMib: 0, move: { from: place, to, phase } }));
  await api.restart();
  // Nobody runs on it: what was alike when it was about to switch is as good there.
  const isOver = phase !== "copying";
  await eventually(async () => expect((await show())?.spec?.pool).toBe(isOver ? "fast" : "default"));
  await eventually(async () => expect(await readdir(usual())).toEqual(isOver ? [] : [was]));
  expect((await readdir(fast)).sort()).toEqual(isOver ? ["somebody-elses", "zor-aaaa-1.raw"] : ["somebody-elses"]);
  const settled = { growToMib: 0, ...(isOver ? { storageId: "aaaa-1" } : {}) };
  await eventually(async () => expect(JSON.parse(await readFile(factsPath(), "utf8"))).toEqual(settled));
});

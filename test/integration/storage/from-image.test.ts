import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { CancelOperationRequest, OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import {
  CreateVolumeRequest,
  GetVolumeRequest,
  UpdateVolumeRequest,
  VolumeServiceService,
} from "../../../proto/gen/zor/v1/volume_service.js";
import { runOperation } from "../../../tui/client/operation.js";
import { ApiFixture } from "../agent/api-fixture.js";
import { eventually } from "../../helpers/eventually.js";

let fixture: ApiFixture;
let [images, pool] = ["", ""];
const mib = 1024 * 1024;
const content = randomBytes(2 * mib + 512);
const name = "hosts/h1/volumes/v";

beforeAll(async () => {
  fixture = await ApiFixture.start();
  [images, pool] = [join(fixture.state, "images"), join(fixture.state, "storage")];
  await mkdir(images, { recursive: true });
  await writeFile(join(images, "disk"), content);
  await run("qemu-img", [
    "create",
    "-q",
    "-f",
    "qcow2",
    "-u",
    "-F",
    "raw",
    "-b",
    "/etc/shadow",
    join(images, "evil"),
    "1M",
  ]);
  await writeFile(join(images, "huge"), "");
  // Nearly as large as a pool takes: 256 GiB of nothing were copied in a second, before a busy machine had cancelled it.
  const { blocks, bsize } = await statfs(images);
  await truncate(join(images, "huge"), Math.floor(Math.min(3.5 * blocks * bsize, 8 * 1024 ** 4) / mib) * mib);
});
afterAll(() => fixture.close());

async function begin(spec: object, volumeId = "v"): Promise<Operation> {
  const request = CreateVolumeRequest.fromPartial({ parent: "hosts/h1", volumeId, volume: { spec } });
  const { operation } = await fixture.operator.unary(VolumeServiceService.createVolume, request);
  if (operation === undefined) throw new Error("there is no operation");
  return operation;
}

const filesThere = async (): Promise<readonly string[]> => await readdir(pool);
const got = () => fixture.operator.unary(VolumeServiceService.getVolume, GetVolumeRequest.fromPartial({ name }));

it("makes a volume with the content of an image, as large as that, and keeps what it began as", async () => {
  await runOperation(fixture.operator, await begin({ image: "disk", format: "raw" }));
  const { volume } = await got();
  expect(volume?.spec).toMatchObject({ image: "disk", sizeMib: 3n });
  const [file = ""] = await filesThere();
  const kept = await readFile(join(pool, file));
  expect(kept.equals(Buffer.concat([content, Buffer.alloc(3 * mib - content.length)]))).toBe(true);
  const other = { volume: { name, spec: { image: "huge" } }, updateMask: ["spec.image"] };
  const update = fixture.operator.unary(VolumeServiceService.updateVolume, UpdateVolumeRequest.fromPartial(other));
  await expect(update).rejects.toThrow("volume.spec.image");
  await fixture.operator.unary(VolumeServiceService.deleteVolume, { name, requestId: "", validateOnly: false });
});

it("takes no room in a qcow2 for what an image does not have", async () => {
  await writeFile(join(images, "empty"), "");
  await truncate(join(images, "empty"), 64 * mib);
  await writeFile(join(images, "zeroes"), Buffer.alloc(16 * mib));
  for (const image of ["empty", "zeroes"]) {
    await runOperation(fixture.operator, await begin({ image }));
    const [file = ""] = await filesThere();
    expect((await stat(join(pool, file))).blocks * 512).toBeLessThan(mib);
    await fixture.operator.unary(VolumeServiceService.deleteVolume, { name, requestId: "", validateOnly: false });
  }
});

it("has what lies below an image too, in a larger qcow2, and not what the image has hidden of it", async () => {
  const [below, over] = [join(images, "disk"), join(images, "over")];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", below, over]);
  await run("qemu-io", ["-c", "write -P 0x61 1M 64k", "-c", "write -z 0 64k", over]);
  await runOperation(fixture.operator, await begin({ image: "over", sizeMib: 8 }));
  const [file = ""] = await filesThere();
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", join(pool, file), join(fixture.state, "seen")]);
  const whole = Buffer.concat([content, Buffer.alloc(8 * mib - content.length)]);
  whole.fill(0, 0, 65536).fill(0x61, mib, mib + 65536);
  expect((await readFile(join(fixture.state, "seen"))).equals(whole)).toBe(true);
  await fixture.operator.unary(VolumeServiceService.deleteVolume, { name, requestId: "", validateOnly: false });
});

it.each<[object, RegExp]>([
  [{ image: "disk", sizeMib: 2 }, /volume.spec.size_mib: 2 is less than the 3 MiB of "disk"/],
  [{ image: "none" }, /volume.spec.image/],
  [{ image: "/etc/shadow" }, /volume.spec.image/],
  [{ image: "evil" }, /volume.spec.image: .*backing file/],
  [{}, /volume.spec.size_mib/],
])("refuses %j and leaves nothing", async (spec, says) => {
  await expect(begin(spec)).rejects.toThrow(says);
  expect(await filesThere()).toEqual([]);
});

it("leaves nothing when it is cancelled", async () => {
  const { name: operation } = await begin({ image: "huge", format: "qcow2" });
  await eventually(async () => expect(await filesThere()).toHaveLength(1));
  await fixture.operator.unary(
    OperationServiceService.cancelOperation,
    CancelOperationRequest.fromPartial({ name: operation }),
  );
  await eventually(async () => expect(await filesThere()).toEqual([]));
  await eventually(() => expect(got()).rejects.toThrow(name));
});

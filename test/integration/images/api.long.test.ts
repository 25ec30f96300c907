import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openImage } from "../../../agent/drivers/images.js";
import { storeDirectory } from "../../../agent/images/store-paths.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { type Image, ImageState } from "../../../proto/gen/zor/v1/image.js";
import {
  BuildImageRequest,
  ImageServiceService as service,
  ListImagesRequest,
  UpdateImageRequest,
} from "../../../proto/gen/zor/v1/image_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { importBytes, noise, type TestImport } from "../../helpers/image-imports.js";
import { backingFormat, makeQcow2 } from "../../unit/agent/drivers/qemu/qcow2-image.js";
import { ApiFixture, nameOf, parent } from "../agent/api-fixture.js";

const mebibyte = 1024 * 1024;
let fixture: ApiFixture;
const imageName = (id: string): string => `${parent}/images/${id}`;
const importing = (bytes: Buffer, imageId: string, more: Partial<TestImport> = {}) =>
  importBytes(fixture.operator, bytes, { parent, imageId, ...more });
const get = async (id: string): Promise<Image | undefined> =>
  (await fixture.operator.unary(service.getImage, { name: imageName(id) })).image;
const remove = (id: string) =>
  fixture.operator.unary(service.deleteImage, { name: imageName(id), requestId: "", validateOnly: false });
/** Ids of the images of the store. */
const stored = async (): Promise<string[]> => {
  const { images } = await fixture.operator.unary(service.listImages, ListImagesRequest.fromPartial({ parent }));
  return images
    .filter(({ status: seen }) => seen?.origin !== "directory")
    .map(({ name }) => name.slice(imageName("").length));
};
/** What lies in a directory of the store. */
const lies = (part: string): Promise<string[]> => readdir(join(storeDirectory(fixture.state), part));
const make = async (id: string, rootfs: string): Promise<void> => {
  const instance = Instance.fromJSON({ spec: { nics: [], crun: { rootfs } } });
  await fixture.make(id, { instance, leaveStopped: true });
};

/** Each test has an agent of its own. */
function ownFixture(): void {
  beforeEach(async () => {
    fixture = await ApiFixture.start();
  });
  afterEach(() => fixture.close());
}

describe("an import", () => {
  ownFixture();

  it("makes an image of which everything is known, that outlives the agent and is sent back as it came", async () => {
    const bytes = noise("first", 3 * mebibyte);
    const { image } = await importing(bytes, "disk", { fileName: "d.img", tags: ["1.0"], description: "for tests" });
    expect(image).toMatchObject({
      name: imageName("disk"),
      spec: { tags: ["1.0"], description: "for tests" },
      status: { state: ImageState.IMAGE_STATE_READY, format: "raw", origin: "import d.img", usedBy: [] },
    });
    expect(image?.status?.sizeBytes).toBe(BigInt(bytes.length));
    await fixture.restart();
    expect(await get("disk")).toEqual(image);
    const parts: Buffer[] = [];
    const request = { name: imageName("disk"), offset: 0n };
    for await (const { data } of fixture.operator.stream(service.exportImage, request)) parts.push(data);
    expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    for (const name of ["disk", "disk:1.0", image?.status?.digest ?? ""]) {
      await using opened = await openImage([storeDirectory(fixture.state)], name, { field: "image", accept: ["file"] });
      expect((await opened.file.stat()).mode & 0o777).toBe(0o444);
    }
  });

  it("goes on where it was cut off, also by the end of the agent", async () => {
    const bytes = noise("cut", 12 * mebibyte);
    expect(await importing(bytes, "big", { cutAt: 8 * mebibyte })).toMatchObject({ image: undefined, beganAt: 0 });
    await fixture.restart();
    const { image, beganAt } = await importing(bytes, "big");
    expect(beganAt).toBeGreaterThanOrEqual(4 * mebibyte);
    expect(image?.status?.sizeBytes).toBe(BigInt(bytes.length));
    // Whoever lost the last answer is given it again.
    expect((await importing(bytes, "big")).image?.uid).toBe(image?.uid);
  });

  it("that was aborted, or had no size to go on by, leaves nothing", async () => {
    const bytes = noise("gone", 12 * mebibyte);
    await importing(bytes, "big", { cutAt: 8 * mebibyte });
    expect(await lies(".incoming")).toHaveLength(1);
    await fixture.operator.unary(service.abortImport, { parent, uploadId: "big", requestId: "", validateOnly: false });
    await expect.poll(() => lies(".incoming")).toEqual([]);
    await importing(bytes, "piped", { cutAt: 8 * mebibyte, sizeBytes: 0n });
    await expect.poll(() => lies(".incoming")).toEqual([]);
    expect(await stored()).toEqual([]);
  });

  it("does not take the place of another image, nor of what lies in an image directory", async () => {
    await importing(noise("a", 4096), "one");
    await expect(importing(noise("b", 4096), "one", { uploadId: "other" })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
    });
    await mkdir(join(fixture.state, "images"), { recursive: true });
    await writeFile(join(fixture.state, "images", "lying.img"), noise("c", 4096));
    await fixture.restart();
    await expect(importing(noise("b", 4096), "lying.img")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
  });
});

describe("a bad import", () => {
  beforeAll(async () => {
    fixture = await ApiFixture.start();
  });
  afterAll(() => fixture.close());

  it.each<[string, Buffer, Partial<TestImport>, string]>([
    ["whose digest is another", noise("x", 4096), { sha256: Buffer.alloc(32) }, "end.sha256"],
    ["that is longer than it said", noise("x", 4096), { sizeBytes: 512n }, "data"],
    ["that is shorter than it said", noise("x", 4096), { sizeBytes: 8192n }, "end"],
    ["of nothing", Buffer.alloc(0), {}, "is empty"],
    ["of a web page", Buffer.from("<!doctype html><html></html>"), {}, "HTML page"],
    ["of a cut disk", noise("x", 1000), {}, "multiple of 512"],
    ["with a bad tag", noise("x", 512), { tags: ["a b"] }, "begin.tags[0]"],
    ["for another host", noise("x", 512), { parent: "hosts/h2" }, "hosts/h2"],
    ["under a name that is none", noise("x", 512), { imageId: "../x", uploadId: "u" }, "image_id"],
    ["larger than the disk", noise("x", 512), { sizeBytes: 2n ** 49n }, "do not fit"],
  ])("%s is refused and leaves nothing", async (_what, bytes, more, words) => {
    await expect(importing(bytes, "bad", more)).rejects.toThrow(words);
    await expect.poll(() => lies(".incoming")).toEqual([]);
    expect(await lies(".content")).toEqual([]);
    expect(await stored()).toEqual([]);
  });
});

describe("an image", () => {
  ownFixture();

  it("is told of with its users, and stays while it has any", async () => {
    await importing(noise("a", 4096), "root", { tags: ["stable"] });
    await make("c1", "root:stable");
    expect((await get("root"))?.status?.usedBy).toEqual([nameOf("c1")]);
    await expect(remove("root")).rejects.toMatchObject({
      reason: "IMAGE_IN_USE",
      message: expect.stringContaining(nameOf("c1")),
    });
    const untag = UpdateImageRequest.fromPartial({
      image: { name: imageName("root"), spec: { tags: [] } },
      updateMask: ["spec.tags"],
    });
    await expect(fixture.operator.unary(service.updateImage, untag)).rejects.toMatchObject({ reason: "IMAGE_IN_USE" });
    const prune = { parent, requestId: "", validateOnly: false };
    await importing(noise("b", 4096), "idle");
    const planned = await fixture.operator.unary(service.pruneImages, { ...prune, validateOnly: true });
    expect(planned).toEqual({ names: [imageName("idle")], freedBytes: 4096n });
    expect(await stored()).toEqual(["idle", "root"]);
    await fixture.restart();
    expect(await fixture.operator.unary(service.pruneImages, prune)).toEqual(planned);
    expect(await stored()).toEqual(["root"]);
    const gone = { name: nameOf("c1"), requestId: "", validateOnly: false, force: true };
    await fixture.operator.unary(InstanceServiceService.deleteInstance, gone);
    expect((await get("root"))?.status?.usedBy).toEqual([]);
    await remove("root");
    expect(await lies(".content")).toEqual([]);
    expect((await readdir(storeDirectory(fixture.state))).filter((name) => !name.startsWith("."))).toEqual([]);
  });

  it("stays for a persistent disk that lies over it, whatever its instance names", async () => {
    const { image } = await importing(noise("a", 4096), "base");
    await make("vm", "micro");
    const content = join(storeDirectory(fixture.state), ".content", (image?.status?.digest ?? "").slice(7));
    await writeFile(
      join(fixture.state, "instances", "vm", "driver", "disk0.bases.json"),
      JSON.stringify([{ path: content }]),
    );
    await expect(remove("base")).rejects.toMatchObject({ reason: "IMAGE_IN_USE" });
  });

  it("stays for an image in a directory that is only the difference to it", async () => {
    const { image } = await importing(noise("a", 4096), "base");
    const content = join(storeDirectory(fixture.state), ".content", (image?.status?.digest ?? "").slice(7));
    await mkdir(join(fixture.state, "images"), { recursive: true });
    const overlay = makeQcow2({ backingFile: content, extensions: [backingFormat("raw")] });
    await writeFile(join(fixture.state, "images", "saved.qcow2"), overlay);
    await fixture.restart();
    expect((await get("saved.qcow2"))?.status?.format).toBe("qcow2");
    await expect(remove("base")).rejects.toMatchObject({ message: expect.stringContaining(imageName("saved.qcow2")) });
  });

  it("that shares its content with another goes without it", async () => {
    const bytes = noise("same", 4096);
    await importing(bytes, "one");
    await importing(bytes, "two");
    expect(await lies(".content")).toHaveLength(2);
    await remove("one");
    await using opened = await openImage([storeDirectory(fixture.state)], "two", { field: "image", accept: ["file"] });
    expect(opened.type).toBe("file");
  });

  it("that is no longer what it was is found by verify, marked, refused, and mended by another import", async () => {
    const bytes = noise("good", 2 * mebibyte);
    const { image } = await importing(bytes, "disk");
    const verify = async (id: string) => {
      const request = { name: imageName(id), requestId: "", validateOnly: false };
      const { operation } = await fixture.operator.unary(service.verifyImage, request);
      return fixture.wait(operation);
    };
    const whole = await verify("disk");
    expect(whole.error).toBeUndefined();
    expect(whole.result === undefined ? undefined : unpack(whole.result)?.value.name).toBe(imageName("disk"));
    expect((await get("disk"))?.status?.verifyTime).toBeInstanceOf(Date);
    const path = join(storeDirectory(fixture.state), ".content", (image?.status?.digest ?? "").slice(7));
    const damaged = Buffer.from(bytes);
    damaged[mebibyte] = (damaged[mebibyte] ?? 0) ^ 1;
    await chmod(path, 0o600);
    await writeFile(path, damaged);
    expect((await verify("disk")).error?.message).toContain("is damaged");
    expect((await get("disk"))?.status?.state).toBe(ImageState.IMAGE_STATE_DAMAGED);
    await fixture.restart();
    expect((await get("disk"))?.status?.state).toBe(ImageState.IMAGE_STATE_DAMAGED);
    const open = () => openImage([storeDirectory(fixture.state)], "disk", { field: "image", accept: ["file"] });
    await expect(open()).rejects.toMatchObject({ reason: "IMAGE_DAMAGED" });
    await expect(importing(noise("other", 4096), "disk", { uploadId: "again" })).rejects.toThrow("another content");
    await importing(bytes, "disk", { uploadId: "mending" });
    expect((await get("disk"))?.status?.state).toBe(ImageState.IMAGE_STATE_READY);
    await using opened = await open();
    expect((await opened.file.readFile()).equals(bytes)).toBe(true);
  });

  it("in an image directory is shown as it comes, and is not the store's to delete", async () => {
    const directory = join(fixture.state, "images");
    await mkdir(directory, { recursive: true });
    await fixture.restart();
    const ending = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      const request = WatchRequest.fromPartial({ kinds: ["image"] });
      for await (const { step } of fixture.operator.stream(WatchServiceService.watch, request, {
        signal: ending.signal,
      }))
        if (step?.$case === "upsert") seen.push(unpack(step.value)?.value.name ?? "");
    })().catch(() => undefined);
    await writeFile(join(directory, "lying.img"), noise("lying", 4096));
    await symlink("/etc/passwd", join(directory, "link.img"));
    await expect.poll(() => seen).toContain(imageName("lying.img"));
    // It may have been seen before it was written.
    const shown = async () => (await get("lying.img"))?.status;
    await expect.poll(shown).toMatchObject({ origin: "directory", format: "raw", digest: "" });
    await expect(remove("lying.img")).rejects.toMatchObject({ reason: "IMAGE_IN_DIRECTORY" });
    ending.abort();
    await watching;
  });
});

describe("a build", () => {
  ownFixture();

  it("runs a recipe of the agent's own and nothing else, and takes in what it leaves", async () => {
    const request = (recipe: string) => BuildImageRequest.fromPartial({ parent, imageId: "made", recipe });
    const build = (recipe: string) => fixture.operator.unary(service.buildImage, request(recipe));
    await expect(build("none")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(build("../../etc")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const recipe = join(fixture.state, "recipes", "small");
    await mkdir(recipe, { recursive: true });
    await writeFile(join(recipe, "build"), '#!/bin/sh\necho making\nhead -c 8192 /dev/zero > "$1/image"\n', {
      mode: 0o755,
    });
    const operation = await fixture.wait((await build("small")).operation);
    expect(operation.error).toBeUndefined();
    expect((await get("made"))?.status).toMatchObject({ origin: "build small", sizeBytes: 8192n });
    await writeFile(join(recipe, "build"), '#!/bin/sh\necho "no package" >&2\nexit 3\n', { mode: 0o755 });
    const failed = await fixture.wait(
      (await fixture.operator.unary(service.buildImage, { ...request("small"), imageId: "other" })).operation,
    );
    expect(failed.error?.message).toContain("no package");
    await expect.poll(() => lies(".incoming")).toEqual([]);
    await chmod(join(recipe, "build"), 0o777);
    await expect(build("small")).rejects.toMatchObject({ reason: "RECIPE_UNSAFE" });
    expect(await readFile(join(recipe, "build"), "utf8")).toContain("exit 3");
  });
});

import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chunkBytes } from "../../../../../agent/images/chunker.js";
import { ImageStore } from "../../../../../agent/images/image-store.js";
import type { ImageRoom } from "../../../../../agent/images/image-room.js";
import { Incoming } from "../../../../../agent/images/incoming.js";
import type { StoredImage } from "../../../../../agent/images/stored-image.js";
import { newImage } from "../../../../../agent/kinds/image/new-image.js";
import { readList } from "../../../../../agent/kinds/image/receive-list.js";
import { transferService } from "../../../../../agent/kinds/image/transfer-service.js";
import { ReceiveImageRequest } from "../../../../../proto/gen/zor/agent/v1/image_transfer_service.js";

const data = Buffer.alloc(1024, 7);
const sha256 = createHash("sha256").update(data).digest("hex");
const chunks = [{ sha256, length: data.length }];

let state: string;
let store: ImageStore;
let added: StoredImage[];

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "zt-transfer-"));
  ({ store } = await ImageStore.open(state));
  added = [];
});

afterEach(() => rm(state, { recursive: true, force: true }));

const guarded: ImageRoom["guard"] = (_name, signal, work) => work(signal);

/** Receives an image of which another host says this. */
async function receive(image: object, guard: ImageRoom["guard"] = guarded): Promise<void> {
  const incoming = await Incoming.open(state);
  const images = {
    ...{ store, nameOf: (id: string) => `hosts/h1/images/${id}`, get: () => undefined, tell: () => undefined },
    reserve: () => ({ [Symbol.dispose]: () => undefined }),
    add: async (image: StoredImage) => void added.push(image),
  };
  const room = { guard, assertFits: () => Promise.resolve(), largestDiskBytes: () => Promise.resolve(2 ** 40) };
  const options = { images, incoming, room, now: () => new Date(0) };
  const { receiveImage } = transferService(options as unknown as Parameters<typeof transferService>[0]);
  const value = { imageId: "b", chunkCount: 1, caller: "", image };
  const list = { chunks: [{ sha256: Buffer.from(sha256, "hex"), length: data.length }] };
  const requests = async function* () {
    yield ReceiveImageRequest.fromPartial({ message: { $case: "begin", value } });
    yield ReceiveImageRequest.fromPartial({ message: { $case: "list", value: list } });
    yield ReceiveImageRequest.fromPartial({ message: { $case: "chunk", value: { index: 0, data } } });
  };
  const context = { signal: new AbortController().signal } as unknown as Parameters<typeof receiveImage>[1];
  for await (const _ of receiveImage(requests(), context));
}

const told = { digest: `sha256:${sha256}`, sizeBytes: 1024n };

it.each([
  ["begin.image.status.architecture", { status: { ...told, architecture: "x".repeat(5000) } }],
  ["begin.image.status.architecture", { status: { ...told, architecture: "\u001b[2J" } }],
  ["begin.image.name", { name: `hosts/h2/images/${"x".repeat(5000)}`, status: told }],
])("takes no image whose record could not be read again: %s", async (field, image) => {
  await expect(receive(image)).rejects.toMatchObject({ violations: [{ field }] });
  expect(added).toEqual([]);
});

it("believes no other host about a content that is here already", async () => {
  const scanned = { sha256, sizeBytes: data.length, chunks };
  const said = {
    id: "a",
    description: "",
    tags: [],
    labels: {},
    architecture: "",
    origin: "",
    caller: "",
    uploadKey: "",
  };
  const content = { format: "iso", virtualSizeBytes: 1024, architecture: "" };
  const path = join(state, "image");
  await writeFile(path, data);
  await store.add(newImage(said, content, scanned, new Date(0)), scanned, path);
  await receive({ status: { ...told, format: "kernel", virtualSizeBytes: -(2n ** 62n) } });
  expect(added).toMatchObject([{ id: "b", format: "iso", virtualSizeBytes: 1024 }]);
});

it("takes what is not here as what it is", async () => {
  await receive({ name: "hosts/h2/images/a", status: { ...told, format: "kernel", virtualSizeBytes: 5n } });
  expect(added).toMatchObject([{ id: "b", format: "raw", virtualSizeBytes: 1024, origin: "push hosts/h2/images/a" }]);
});

it("copies nothing from the images that are here without an eye on the room", async () => {
  const full = new Error("the disk is full");
  const guard: ImageRoom["guard"] = () => Promise.reject(full);
  await expect(receive({ name: "hosts/h2/images/a", status: told }, guard)).rejects.toBe(full);
  expect(added).toEqual([]);
});

describe("a list of chunks", () => {
  const good = { sha256: Buffer.alloc(32), length: chunkBytes.least };
  const read = (count: number, ...chunks: { sha256: Buffer; length: number }[]) => {
    const requests = async function* () {
      yield ReceiveImageRequest.fromPartial({ message: { $case: "list", value: { chunks } } });
    };
    return readList(requests(), count);
  };

  it("is taken as it should be", async () => {
    expect(await read(2, good, { ...good, length: 1 })).toHaveLength(2);
  });

  it.each([
    ["a digest that is none", 1, [{ ...good, sha256: Buffer.from("/etc/shadow") }]],
    ["no length", 1, [{ ...good, length: 0 }]],
    ["a length below nothing", 1, [{ ...good, length: -1 }]],
    ["a length without end", 1, [{ ...good, length: 2 ** 31 - 1 }]],
    ["short pieces, which cost more memory than they bring", 2, [{ ...good, length: 1 }, good]],
    ["more than was said", 1, [good, good]],
    ["less than was said", 3, [good, good]],
  ])("is refused with %s", async (_what, count, chunks) => {
    await expect(read(count, ...chunks)).rejects.toMatchObject({ violations: [{ field: "list" }] });
  });
});

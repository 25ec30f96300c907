import { expect, it } from "vitest";
import { resourceExhausted } from "../../../../../lib/errors.js";
import type { ReadyAgent } from "../../../../../hub/fleet/session.js";
import { ChunkList } from "../../../../../hub/kit/chunk-list.js";
import { copyImage } from "../../../../../hub/kit/copy-image.js";
import {
  ImageTransferServiceService,
  type ListChunksResponse,
  type ReceiveImageRequest,
  type ReceiveImageResponse,
} from "../../../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { Image } from "../../../../../proto/gen/zor/v1/image.js";

const chunk = { sha256: Buffer.alloc(32, 1), length: 1024 };
const refused = { reason: "HOST_NOT_BELIEVED" };

/** Copies from a host that tells these chunks to one that lacks these ranges. */
function copy(listed: () => Iterable<ListChunksResponse>, missing: ReceiveImageResponse): Promise<Image> {
  const stream = async function* () {
    yield* listed();
  };
  const bidi = async function* (_method: unknown, requests: AsyncIterable<ReceiveImageRequest>) {
    yield missing;
    for await (const _ of requests);
  };
  const agent = { connection: { stream, bidi }, signal: new AbortController().signal } as unknown as ReadyAgent;
  return copyImage({
    ...{ source: agent, target: agent, sourceId: "a", imageId: "a", caller: "", bytesPerSecond: 0, direct: undefined },
    ...{ signal: new AbortController().signal, progress: () => undefined },
  });
}

function lacks(...ranges: { readonly first: number; readonly count: number }[]): ReceiveImageResponse {
  return { message: { $case: "missing", value: { ranges, fetchFailure: "" } } };
}

it("ends with a host that tells of chunks for ever", async () => {
  const part = { image: Image.fromPartial({}), chunks: Array.from({ length: 100_000 }, () => chunk) };
  const endless = function* () {
    for (;;) yield part;
  };
  await expect(copy(endless, lacks())).rejects.toMatchObject(refused);
});

it.each([[{ ...chunk, sha256: Buffer.alloc(31) }], [{ ...chunk, length: 0 }], [{ ...chunk, length: 2 ** 32 - 1 }]])(
  "takes no chunk that is none",
  async (bad) => {
    await expect(copy(() => [{ image: Image.fromPartial({}), chunks: [bad] }], lacks())).rejects.toMatchObject(refused);
  },
);

it.each([
  [
    [
      { first: 0, count: 2 },
      { first: 0, count: 2 },
    ],
  ],
  [[{ first: 1, count: 2 }]],
  [[{ first: 0, count: 0 }]],
  [[{ first: 4_000_000_000, count: 4_000_000_000 }]],
])("ends with a host that asks for %j of two chunks", async (ranges) => {
  const whole = [{ image: Image.fromPartial({}), chunks: [chunk, chunk] }];
  await expect(copy(() => whole, lacks(...ranges))).rejects.toMatchObject(refused);
});

it("keeps the chunks as they were told", () => {
  const list = new ChunkList();
  const all = Array.from({ length: 3000 }, (_, index) => ({ sha256: Buffer.alloc(32, index), length: index + 1 }));
  list.push(all);
  expect([...list.slice(0, 1000), ...list.slice(1000, 5000)]).toEqual(all);
  expect(list.bytes).toBe((3000 * 3001) / 2);
  expect(
    list.bytesOf([
      { first: 0, count: 2 },
      { first: 9, count: 1 },
    ]),
  ).toBe(13);
});

it("sends what is still missing through the hub when the target could not read it from the source", async () => {
  const asked: string[] = [];
  const stream = async function* (method: { path: string }, request: { ranges?: readonly { first: number }[] }) {
    if (method.path.endsWith("ListChunks")) yield { image: Image.fromPartial({}), chunks: [chunk, chunk] };
    for (const { first } of request.ranges ?? []) yield { index: first, data: Buffer.alloc(1024) };
  };
  const unary = async ({ path }: { path: string }, { peer }: { peer: string }) => void asked.push(path, peer);
  const bidi = async function* (_method: unknown, requests: AsyncIterable<ReceiveImageRequest>) {
    yield lacks({ first: 0, count: 2 });
    for await (const { message } of requests) {
      asked.push(message?.$case ?? "");
      if (message?.$case === "fetch") yield { message: { $case: "fetched", value: { bytes: 1024n } } };
      if (message?.$case === "fetch") yield lacks({ first: 1, count: 1 });
      if (message?.$case === "chunk") yield { message: { $case: "image", value: Image.fromPartial({ name: "made" }) } };
    }
  };
  const agent = { connection: { stream, bidi, unary }, signal: new AbortController().signal } as unknown as ReadyAgent;
  const sent: string[] = [];
  const image = await copyImage({
    ...{ source: agent, target: agent, sourceId: "a", imageId: "a", caller: "", bytesPerSecond: 0 },
    direct: { from: "alpha", to: "beta", addresses: ["192.0.2.1:1"] },
    signal: new AbortController().signal,
    progress: ({ sentBytes, missingBytes, way }) => void sent.push(`${sentBytes} of ${missingBytes} ${way}`),
  });
  expect(image.name).toBe("made");
  const allow = "/zor.agent.v1.ImageTransferService/AllowFetch";
  expect(asked).toEqual(["begin", "list", allow, "beta", "fetch", "chunk"]);
  expect(sent[0]).toBe("1024 of 2048 directly");
});

it("goes through the hub when the source lets no more hosts read from it", async () => {
  const asked: (string | undefined)[] = [];
  const image = Image.fromPartial({ name: "hosts/b/images/a" });
  const stream = async function* (method: unknown) {
    if (method === ImageTransferServiceService.listChunks) yield { image, chunks: [chunk] };
    else yield { index: 0, data: Buffer.alloc(1024) };
  };
  const bidi = async function* (_: unknown, requests: AsyncIterable<ReceiveImageRequest>) {
    yield lacks({ first: 0, count: 1 });
    for await (const { message } of requests) asked.push(message?.$case);
    yield { message: { $case: "image", value: image } };
  };
  const unary = async () => {
    throw resourceExhausted("TOO_MANY_TICKETS", "too many hosts were allowed to read images here");
  };
  const agent = { connection: { stream, bidi, unary }, signal: new AbortController().signal } as unknown as ReadyAgent;
  const copied = await copyImage({
    ...{ source: agent, target: agent, sourceId: "a", imageId: "a", caller: "", bytesPerSecond: 0 },
    direct: { from: "a", to: "b", addresses: ["192.0.2.1:1"] },
    ...{ signal: new AbortController().signal, progress: () => undefined },
  });
  expect([copied, asked]).toEqual([image, ["begin", "list", "chunk"]]);
});

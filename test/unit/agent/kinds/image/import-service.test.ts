import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ImageStore } from "../../../../../agent/images/image-store.js";
import { Incoming } from "../../../../../agent/images/incoming.js";
import { importImage } from "../../../../../agent/kinds/image/import-service.js";
import { resourceExhausted } from "../../../../../lib/errors.js";
import { ImportImageRequest } from "../../../../../proto/gen/zor/v1/image_service.js";

const mib = 1024 * 1024;

let state: string;

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "zt-import-"));
});

afterEach(() => rm(state, { recursive: true, force: true }));

it("ends an import that said its size when others have taken the room meanwhile", async () => {
  const { store } = await ImageStore.open(state);
  const images = { store, nameOf: () => "hosts/h1/images/a", reserve: () => ({ [Symbol.dispose]: () => undefined }) };
  const asked: number[] = [];
  const assertFits = async (bytes: number) => {
    asked.push(bytes);
    if (asked.length > 1) throw resourceExhausted("DISK_QUOTA", "full");
  };
  const scope = { parseSelf: () => undefined };
  const options = { images, incoming: await Incoming.open(state), room: { assertFits }, scope, now: () => new Date(0) };
  let sent = 0;
  const requests = async function* () {
    const value = { parent: "hosts/h1", imageId: "a", uploadId: "u", sizeBytes: BigInt(100 * mib) };
    yield ImportImageRequest.fromPartial({ message: { $case: "begin", value } });
    // Zeros: they are holes and take no room here.
    for (; sent < 100; sent += 4)
      yield ImportImageRequest.fromPartial({ message: { $case: "data", value: Buffer.alloc(4 * mib) } });
  };
  const context = { caller: { identity: "user/ana" }, signal: new AbortController().signal };
  const answers = importImage(
    options as unknown as Parameters<typeof importImage>[0],
    requests(),
    context as unknown as Parameters<typeof importImage>[2],
  );
  await expect(Array.fromAsync(answers)).rejects.toMatchObject({ reason: "DISK_QUOTA" });
  expect(asked).toEqual([100 * mib, 36 * mib]);
  expect(sent).toBe(64);
});

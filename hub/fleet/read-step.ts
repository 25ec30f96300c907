import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Any } from "../../proto/gen/google/protobuf/any.js";
import { WatchPosition, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";

/** Tags of WatchResponse's fields "position" and "upsert", and of those of Any: number and wire type. */
const [positionTag, upsertTag] = [(1 << 3) | 2, (3 << 3) | 2];
const [typeUrlTag, valueTag] = [(1 << 3) | 2, (2 << 3) | 2];

/**
 * Decodes a step of a watch like `WatchResponse.decode`, but the bytes of a resource are a part of those given, not a copy: nearly all that
 * agents send are resources, and they are decoded at once.
 */
export function readStep(bytes: Buffer): WatchResponse {
  const reader = new BinaryReader(bytes);
  let position: WatchPosition | undefined;
  let upsert: Any | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === positionTag) position = WatchPosition.decode(reader, reader.uint32());
    else if (tag === upsertTag) upsert = readAny(reader, reader.uint32());
    else return WatchResponse.decode(bytes);
  }
  return { position, step: upsert === undefined ? undefined : { $case: "upsert", value: upsert } };
}

function readAny(reader: BinaryReader, length: number): Any {
  const end = reader.pos + length;
  let typeUrl = "";
  let value = Buffer.alloc(0);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === typeUrlTag) typeUrl = reader.string();
    else if (tag === valueTag) value = viewOf(reader.bytes());
    else reader.skip(tag & 7);
  }
  return { typeUrl, value };
}

function viewOf(bytes: Uint8Array): Buffer<ArrayBuffer> {
  // The reader's bytes are those of the Buffer that it was given.
  return bytes instanceof Buffer ? (bytes as Buffer<ArrayBuffer>) : Buffer.from(bytes);
}

import type { Readable, Writable } from "node:stream";
import { once } from "node:events";

/** A message between the agent and the program that looks into disks; see guestfs-program.ts. */
export interface Frame {
  readonly type: string;
  readonly data: Buffer;
}

const headerBytes = 5;
/** Of one frame; the program sends pieces of 1 MiB at most. */
const maxFrameBytes = 4 * 1024 * 1024;

/** The bytes of a frame. */
export function toFrame(type: string, data: Uint8Array): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write(type, 0, "latin1");
  header.writeUInt32BE(data.length, 1);
  return Buffer.concat([header, data]);
}

/** Writes a frame no faster than it is taken. */
export async function sendFrame(to: Writable, type: string, data: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!to.write(toFrame(type, data))) await once(to, "drain", { signal });
}

/** Frames as they come, no faster than they are taken. Ends with the stream. @throws {Error} for one that is none. */
export async function* readFrames(from: Readable): AsyncGenerator<Frame> {
  let kept: Buffer = Buffer.alloc(0);
  for await (const piece of from) {
    kept = kept.length === 0 ? (piece as Buffer) : Buffer.concat([kept, piece as Buffer]);
    for (;;) {
      if (kept.length < headerBytes) break;
      const length = kept.readUInt32BE(1);
      if (length > maxFrameBytes) throw new Error("a frame of the program that looks into disks is too long");
      if (kept.length < headerBytes + length) break;
      yield {
        type: kept.toString("latin1", 0, 1),
        data: Buffer.from(kept.subarray(headerBytes, headerBytes + length)),
      };
      kept = kept.subarray(headerBytes + length);
    }
  }
}

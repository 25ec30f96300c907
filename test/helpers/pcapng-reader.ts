/** A frame of a file, as a reader of its own kind sees it: nothing here is shared with what writes. */
export interface ReadFrame {
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly length: number;
  readonly data: Buffer;
  /** 1 inbound, 2 outbound, 0 not said. */
  readonly direction: number;
}

/** What a pcapng file says. */
export interface ReadCapture {
  readonly comments: readonly string[];
  readonly interfaces: readonly { readonly name: string; readonly description: string; readonly snapBytes: number }[];
  readonly frames: readonly ReadFrame[];
  readonly statistics: readonly { readonly interfaceId: number; readonly received: bigint; readonly dropped: bigint }[];
}

/** Reads a little-endian pcapng file of one section. @throws {Error} for anything that breaks the format. */
export function readPcapng(file: Buffer): ReadCapture {
  const comments: string[] = [];
  const interfaces: { name: string; description: string; snapBytes: number }[] = [];
  const frames: ReadFrame[] = [];
  const statistics: { interfaceId: number; received: bigint; dropped: bigint }[] = [];
  let at = 0;
  while (at < file.length) {
    const type = file.readUInt32LE(at);
    const length = file.readUInt32LE(at + 4);
    if (length % 4 !== 0 || file.readUInt32LE(at + length - 4) !== length) throw new Error(`bad block at ${at}`);
    const body = file.subarray(at + 8, at + length - 4);
    if (at === 0 && (type !== 0x0a0d0d0a || body.readUInt32LE(0) !== 0x1a2b3c4d)) throw new Error("no section header");
    if (type === 0x0a0d0d0a) comments.push(...textsOf(options(body.subarray(16)), 1));
    else if (type === 1) {
      if (body.readUInt16LE(0) !== 1) throw new Error("not ethernet");
      const own = options(body.subarray(8));
      if (own.get(9)?.[0]?.[0] !== 9) throw new Error("not nanoseconds");
      const [name = ""] = textsOf(own, 2);
      const [description = ""] = textsOf(own, 3);
      interfaces.push({ name, description, snapBytes: body.readUInt32LE(4) });
    } else if (type === 6) {
      const kept = body.readUInt32LE(12);
      const interfaceId = body.readUInt32LE(0);
      if (interfaces[interfaceId] === undefined) throw new Error(`no interface ${interfaceId}`);
      frames.push({
        interfaceId,
        timeNs: BigInt(body.readUInt32LE(4)) * 2n ** 32n + BigInt(body.readUInt32LE(8)),
        length: body.readUInt32LE(16),
        data: body.subarray(20, 20 + kept),
        direction:
          options(body.subarray(20 + Math.ceil(kept / 4) * 4))
            .get(2)?.[0]
            ?.readUInt32LE(0) ?? 0,
      });
    } else if (type === 5) {
      const own = options(body.subarray(12));
      const number = (code: number): bigint => own.get(code)?.[0]?.readBigUInt64LE(0) ?? -1n;
      statistics.push({ interfaceId: body.readUInt32LE(0), received: number(4), dropped: number(5) });
    } else throw new Error(`block of type ${type}`);
    at += length;
  }
  return { comments, interfaces, frames, statistics };
}

function options(bytes: Buffer): Map<number, Buffer[]> {
  const found = new Map<number, Buffer[]>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 0) return found;
    found.set(code, [...(found.get(code) ?? []), bytes.subarray(at + 4, at + 4 + length)]);
    at += 4 + Math.ceil(length / 4) * 4;
  }
  if (bytes.length > 0) throw new Error("options without an end");
  return found;
}

function textsOf(all: Map<number, Buffer[]>, code: number): string[] {
  return (all.get(code) ?? []).map((value) => value.toString());
}

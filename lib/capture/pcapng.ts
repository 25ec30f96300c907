/** Files of captured frames as Wireshark reads them: pcapng (draft-ietf-opsawg-pcapng), little-endian, times in nanoseconds, ethernet. */

const blockTypes = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const;
const byteOrderMagic = 0x1a2b3c4d;
const ethernet = 1;
/** if_tsresol: 10^-9 s. */
const nanoseconds = 9;

/** Codes of options; those of interfaces and statistics are other spaces. */
const optionCodes = { end: 0, comment: 1, userApplication: 4, packetFlags: 2 } as const;
const interfaceOptions = { name: 2, description: 3, timeResolution: 9, filter: 11 } as const;
const statisticsOptions = { start: 2, end: 3, received: 4, dropped: 5, delivered: 8 } as const;

/** Longest text of an option, in bytes: a length has 16 bits, and nobody reads more. */
const maxTextBytes = 8192;

/** Which way a frame went, as its interface sees it; the values of epb_flags. */
export const directions = { inbound: 1, outbound: 2 } as const;

/** An interface of a file. */
export interface PcapngInterface {
  readonly name: string;
  readonly description: string;
  /** What was let through; "": all. */
  readonly filter: string;
  readonly snapBytes: number;
}

/** Figures of an interface at the end of a file. */
export interface PcapngStatistics {
  readonly interfaceId: number;
  /** Nanoseconds since 1970. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly received: bigint;
  /** Lost in the kernel. */
  readonly dropped: bigint;
  /** Came to whoever reads this. */
  readonly delivered: bigint;
}

/** The first block of a file. @param comment for people; "": none. */
export function sectionHeader({
  application,
  comment,
}: {
  readonly application: string;
  readonly comment: string;
}): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(byteOrderMagic, 0);
  fixed.writeUInt16LE(1, 4);
  // The length of the section is not known yet.
  fixed.fill(0xff, 8);
  const comments = comment === "" ? [] : [textOption(optionCodes.comment, comment)];
  return block(blockTypes.section, fixed, [...comments, textOption(optionCodes.userApplication, application)]);
}

/** Describes the next interface: they are numbered from 0 in the order of these blocks. */
export function interfaceDescription({ name, description, filter, snapBytes }: PcapngInterface): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(ethernet, 0);
  fixed.writeUInt32LE(snapBytes, 4);
  // A filter is its kind, 0: text of libpcap, and the text.
  const filters =
    filter === "" ? [] : [option(interfaceOptions.filter, Buffer.from(`\0${filter}`).subarray(0, maxTextBytes))];
  return block(blockTypes.interface, fixed, [
    textOption(interfaceOptions.name, name),
    textOption(interfaceOptions.description, description),
    option(interfaceOptions.timeResolution, Buffer.of(nanoseconds)),
    ...filters,
  ]);
}

/** What became of the frames of an interface. */
export function interfaceStatistics(statistics: PcapngStatistics): Buffer {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt32LE(statistics.interfaceId, 0);
  fixed.set(timeBytes(statistics.endNs), 4);
  return block(blockTypes.statistics, fixed, [
    option(statisticsOptions.start, timeBytes(statistics.startNs)),
    option(statisticsOptions.end, timeBytes(statistics.endNs)),
    option(statisticsOptions.received, count(statistics.received)),
    option(statisticsOptions.dropped, count(statistics.dropped)),
    option(statisticsOptions.delivered, count(statistics.delivered)),
  ]);
}

/** Bytes of a packet block before its frame, and behind the padded frame: an option with the flags, the end of options, the length. */
const [packetHeadBytes, packetTailBytes] = [28, 16];

/** Bytes that the packet block of a frame takes. */
export function packetBlockBytes(frameBytes: number): number {
  return packetHeadBytes + ((frameBytes + 3) & ~3) + packetTailBytes;
}

/** A frame of which a packet block is written. */
export interface PacketHead {
  interfaceId: number;
  seconds: number;
  nanoseconds: number;
  /** Bytes that are kept, and that there were. */
  kept: number;
  length: number;
  direction: number;
}

/** A 64-bit time in nanoseconds as two words, without making a bigint: this is done for each frame. */
const twoTo32 = 2 ** 32;

/**
 * Writes all of a packet block but the frame itself, and returns where that goes: `head.kept` bytes from there on.
 * There must be {@link packetBlockBytes} of room at `at`.
 */
export function writePacketBlock(target: DataView, at: number, head: PacketHead): number {
  const padded = (head.kept + 3) & ~3;
  const total = packetHeadBytes + padded + packetTailBytes;
  target.setUint32(at, blockTypes.packet, true);
  target.setUint32(at + 4, total, true);
  target.setUint32(at + 8, head.interfaceId, true);
  // Seconds times 10^9 is below 2^62 but beyond what a double holds exactly: the halves are multiplied apart.
  const low = (head.seconds & 0xffff) * 1e9 + head.nanoseconds;
  const high = (head.seconds >>> 16) * 1e9;
  // high * 2^16 + low, as words of 32 bits.
  const sum = (high % 65_536) * 65_536 + low;
  target.setUint32(at + 12, (Math.floor(high / 65_536) + Math.floor(sum / twoTo32)) >>> 0, true);
  target.setUint32(at + 16, (sum % twoTo32) >>> 0, true);
  target.setUint32(at + 20, head.kept, true);
  target.setUint32(at + 24, head.length, true);
  // The last bytes may be padding; the frame is written over the rest of them.
  if (padded > 0) target.setUint32(at + packetHeadBytes + padded - 4, 0, true);
  const tail = at + packetHeadBytes + padded;
  target.setUint16(tail, optionCodes.packetFlags, true);
  target.setUint16(tail + 2, 4, true);
  target.setUint32(tail + 4, head.direction, true);
  target.setUint32(tail + 8, optionCodes.end, true);
  target.setUint32(tail + 12, total, true);
  return at + packetHeadBytes;
}

function block(type: number, fixed: Buffer, options: readonly Buffer[]): Buffer {
  const end = Buffer.alloc(4);
  const length = 12 + fixed.length + options.reduce((sum, each) => sum + each.length, 0) + end.length;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, fixed, ...options, end, head.subarray(4)]);
}

function option(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

function textOption(code: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxTextBytes) return option(code, bytes);
  // Not in the middle of a character.
  return option(
    code,
    Buffer.from(
      bytes
        .subarray(0, maxTextBytes)
        .toString()
        .replace(/\ufffd+$/, ""),
    ),
  );
}

function timeBytes(ns: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(Number((ns >> 32n) & 0xffff_ffffn), 0);
  bytes.writeUInt32LE(Number(ns & 0xffff_ffffn), 4);
  return bytes;
}

function count(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

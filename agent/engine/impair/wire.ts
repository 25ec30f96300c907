import { vnetHeaderBytes } from "../frames/frame.js";

// struct virtio_net_hdr_v1 of linux/virtio_net.h, in the byte order of the machine (little endian on all that Node supports).
const flagNeedsChecksum = 1;
const gsoMask = 0x7f;
const gso = { tcp4: 1, tcp6: 4, udp: 5 } as const;

/** What a frame from a tap becomes on a wire: a super-frame is many. */
export class WireSize {
  frames = 1;
  /** Ethernet headers included, preamble and check sequence not. */
  bytes = 0;

  /** Measures the frame of `length` bytes, virtio-net header included, at `at`. Allocates nothing. */
  measure(buffer: Buffer, at: number, length: number): void {
    this.frames = 1;
    this.bytes = length - vnetHeaderBytes;
    const kind = (buffer[at + 1] ?? 0) & gsoMask;
    if (kind === 0) return;
    const segmentBytes = word(buffer, at + 4);
    const headers = headerLength(buffer, at, length, kind);
    const payload = this.bytes - headers;
    if (segmentBytes === 0 || payload <= segmentBytes) return;
    this.frames = Math.ceil(payload / segmentBytes);
    this.bytes += (this.frames - 1) * headers;
  }
}

/** Ethernet, IP and TCP or UDP headers of a super-frame, in bytes. */
function headerLength(buffer: Buffer, at: number, length: number, kind: number): number {
  const transport = word(buffer, at + 6);
  if (kind === gso.udp) return transport + 8;
  if (kind !== gso.tcp4 && kind !== gso.tcp6) return transport;
  const dataOffset =
    transport + 12 < length - vnetHeaderBytes ? (buffer[at + vnetHeaderBytes + transport + 12] ?? 0) : 0x50;
  return transport + (dataOffset >> 4) * 4;
}

/**
 * Flips one bit of the ethernet frame behind the virtio-net header. A checksum that was left for later is completed first: computed
 * after the flip it would hide it. A super-frame is left as it is, because its checksums cannot be completed; false then.
 * @param chance uniform in [0, 1): which bit.
 */
export function flipBit(buffer: Buffer, at: number, length: number, chance: number): boolean {
  if (((buffer[at + 1] ?? 0) & gsoMask) !== 0) return false;
  completeChecksum(buffer, at, length);
  const bit = Math.floor(chance * (length - vnetHeaderBytes) * 8);
  const place = at + vnetHeaderBytes + (bit >> 3);
  buffer[place] = (buffer[place] ?? 0) ^ (1 << (bit & 7));
  return true;
}

/** Does what VIRTIO_NET_HDR_F_NEEDS_CSUM asks for, and takes back every other statement about the checksum. */
function completeChecksum(buffer: Buffer, at: number, length: number): void {
  const flags = buffer[at] ?? 0;
  buffer[at] = 0;
  if ((flags & flagNeedsChecksum) === 0) return;
  const end = at + length;
  const start = at + vnetHeaderBytes + word(buffer, at + 6);
  const place = start + word(buffer, at + 8);
  if (place + 2 > end) return;
  // The place of the checksum holds the sum of the pseudo header.
  let sum = 0;
  for (let i = start; i < end; i += 2) sum += ((buffer[i] ?? 0) << 8) | (i + 1 < end ? (buffer[i + 1] ?? 0) : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  const complement = ~sum & 0xffff;
  // UDP writes 0 as all ones, which is the same number; for TCP it does no harm.
  buffer.writeUInt16BE(complement === 0 ? 0xffff : complement, place);
}

function word(buffer: Buffer, at: number): number {
  return (buffer[at] ?? 0) | ((buffer[at + 1] ?? 0) << 8);
}

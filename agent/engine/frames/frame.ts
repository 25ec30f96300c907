/**
 * Frames on a cable's byte stream: an 8-byte header (payload length as 32-bit big endian, type, three zero bytes), then the payload.
 * Parsing works on one contiguous buffer and allocates nothing.
 */

/** Bytes of a frame header. */
export const headerBytes = 8;

/** Bytes of the virtio-net header (struct virtio_net_hdr_v1) in front of an ethernet frame, when both ends agreed on it. */
export const vnetHeaderBytes = 12;

/** Kinds of frames. */
export const frameType = {
  /** An ethernet frame, after a virtio-net header when agreed. */
  data: 1,
  /** Eight bytes of the sender's clock, four of sequence, then padding: to be sent back unchanged as an echo. */
  probe: 2,
  echo: 3,
  /** UTF-8 text: why the sender closes the connection. */
  goodbye: 4,
  /** UTF-8 text: what is wrong at the sender's end; empty: nothing. */
  notice: 5,
  /** JSON of the handshake. */
  handshake: 16,
} as const;

/** Smallest and largest payload of each type. A super-frame is 64 KiB of IP plus ethernet, VLAN and virtio-net headers. */
export const dataBytes = { min: 14, max: vnetHeaderBytes + 65_536 + 64 } as const;
export const probeBytes = { min: 12, max: 9_018 + 12 } as const;
const textBytes = { min: 0, max: 512 } as const;
const handshakeBytes = { min: 2, max: 4_096 } as const;

/** Room a writer needs for any data frame. */
export const maxDataFrameBytes: number = headerBytes + dataBytes.max;

/** The peer broke the protocol; the connection cannot go on. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** Writes a header. */
export function writeHeader(target: Uint8Array, offset: number, type: number, length: number): void {
  target[offset] = length >>> 24;
  target[offset + 1] = (length >>> 16) & 255;
  target[offset + 2] = (length >>> 8) & 255;
  target[offset + 3] = length & 255;
  target[offset + 4] = type;
  target[offset + 5] = 0;
  target[offset + 6] = 0;
  target[offset + 7] = 0;
}

/** Receives parsed frames: type, offset and length of the payload in the parsed buffer. */
export interface FrameSink {
  frame(type: number, offset: number, length: number): void;
}

/**
 * Parses all whole frames between `start` and `end` and hands each to the sink, in order. Returns where the first incomplete frame begins.
 * @throws {ProtocolError} for an unknown type, a length outside the type's bounds, or reserved bytes that are not zero.
 */
export function parseFrames(source: Uint8Array, start: number, end: number, sink: FrameSink): number {
  let at = start;
  while (end - at >= headerBytes) {
    const length = payloadLength(source, at);
    const next = at + headerBytes + length;
    if (next > end) return at;
    sink.frame(source[at + 4] ?? 0, at + headerBytes, length);
    at = next;
  }
  return at;
}

/** Checks a whole header and returns its payload length. */
function payloadLength(source: Uint8Array, at: number): number {
  const length =
    (((source[at] ?? 0) << 24) |
      ((source[at + 1] ?? 0) << 16) |
      ((source[at + 2] ?? 0) << 8) |
      (source[at + 3] ?? 0)) >>>
    0;
  const type = source[at + 4] ?? 0;
  if (((source[at + 5] ?? 0) | (source[at + 6] ?? 0) | (source[at + 7] ?? 0)) !== 0) {
    throw new ProtocolError("the peer sent a frame header with reserved bytes set");
  }
  const bounds = boundsOf(type);
  if (length < bounds.min || length > bounds.max) {
    throw new ProtocolError(`the peer sent a frame of type ${type} with length ${length}`);
  }
  return length;
}

function boundsOf(type: number): { readonly min: number; readonly max: number } {
  switch (type) {
    case frameType.data:
      return dataBytes;
    case frameType.probe:
    case frameType.echo:
      return probeBytes;
    case frameType.goodbye:
    case frameType.notice:
      return textBytes;
    case frameType.handshake:
      return handshakeBytes;
    default:
      throw new ProtocolError(`the peer sent a frame of unknown type ${type}`);
  }
}

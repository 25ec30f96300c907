/**
 * Reads qcow2 headers (QEMU interop/qcow2.txt) without QEMU: a tool that opens a hostile image would follow its references.
 */

/** What matters of a qcow2 header. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  /** Size that the guest sees, in bytes. */
  readonly virtualSizeBytes: bigint;
  /** Backing file exactly as the image names it. */
  readonly backingFile: string | undefined;
  /** Format of the backing file as the image names it; without it tools would guess. */
  readonly backingFormat: string | undefined;
  readonly encrypted: boolean;
  /** Guest data lie in another file. */
  readonly externalData: boolean;
  /** Marked as damaged by QEMU. */
  readonly corrupt: boolean;
}

/** A qcow2 header that is not valid; the message completes "the image ...". */
export class Qcow2FormatError extends Error {
  override readonly name = "Qcow2FormatError";
}

/** Bytes of the beginning of an image that {@link parseQcow2Header} needs at most: the largest cluster that holds header and names. */
export const qcow2HeaderBytes = 64 * 1024;

const magic = 0x514649fb;
const version2HeaderBytes = 72;
const version3HeaderBytes = 104;
/** QEMU's own limit. */
const maxBackingNameBytes = 1023;
const maxVirtualSizeBytes = 2n ** 56n;
const incompatible = { corrupt: 1n << 1n, externalData: 1n << 2n, known: 0b11111n } as const;
const extensions = { end: 0, backingFormat: 0xe2792aca, externalDataName: 0x44415441, encryption: 0x0537be77 } as const;

/** Whether the beginning of a file says that it is qcow2. */
export function isQcow2(start: Buffer): boolean {
  return start.length >= 4 && start.readUInt32BE(0) === magic;
}

/**
 * Parses the header in the first {@link qcow2HeaderBytes} bytes of an image; pure.
 * @throws {Qcow2FormatError} when it is truncated, contradicts itself or uses features that no released QEMU has.
 */
export function parseQcow2Header(start: Buffer): Qcow2Header {
  if (!isQcow2(start)) throw new Qcow2FormatError("is not qcow2");
  require(start.length >= version2HeaderBytes, "is truncated");
  const version = start.readUInt32BE(4);
  require(version !== 1, "is a qcow image of version 1; convert it with: qemu-img convert -O qcow2");
  require(version === 2 || version === 3, `has the unknown qcow2 version ${version}`);
  const clusterBits = start.readUInt32BE(20);
  require(clusterBits >= 9 && clusterBits <= 21, `has impossible clusters of 2^${clusterBits} bytes`);
  const virtualSizeBytes = start.readBigUInt64BE(24);
  require(virtualSizeBytes <= maxVirtualSizeBytes, "claims an impossible size");
  const features = version === 3 ? readFeatures(start) : 0n;
  require((features & ~incompatible.known) === 0n, "uses qcow2 features that are not known");
  const headerLength = version === 3 ? readHeaderLength(start) : version2HeaderBytes;
  const found = readExtensions(start, headerLength, 2 ** clusterBits);
  return {
    version,
    virtualSizeBytes,
    backingFile: readBackingFile(start, 2 ** clusterBits),
    backingFormat: found.backingFormat,
    encrypted: start.readUInt32BE(32) !== 0 || found.encryption,
    externalData: (features & incompatible.externalData) !== 0n || found.externalData,
    corrupt: (features & incompatible.corrupt) !== 0n,
  };
}

function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Qcow2FormatError(message);
}

function readFeatures(start: Buffer): bigint {
  require(start.length >= version3HeaderBytes, "is truncated");
  return start.readBigUInt64BE(72);
}

function readHeaderLength(start: Buffer): number {
  const length = start.readUInt32BE(100);
  require(length >= version3HeaderBytes &&
    length <= start.length &&
    length % 8 === 0, "has an impossible header length");
  return length;
}

function readBackingFile(start: Buffer, clusterBytes: number): string | undefined {
  const offset = start.readBigUInt64BE(8);
  const length = start.readUInt32BE(16);
  if (offset === 0n) return undefined;
  require(length > 0 && length <= maxBackingNameBytes, "has a backing file name of impossible length");
  // The name lies in the first cluster; beyond what was read it cannot be checked, so it is refused.
  const limit = Math.min(clusterBytes, start.length);
  require(offset + BigInt(length) <= BigInt(limit), "has its backing file name outside the header");
  return start.toString("utf8", Number(offset), Number(offset) + length);
}

function readExtensions(
  start: Buffer,
  headerLength: number,
  clusterBytes: number,
): { backingFormat: string | undefined; externalData: boolean; encryption: boolean } {
  const found = { backingFormat: undefined as string | undefined, externalData: false, encryption: false };
  const backingOffset = start.readBigUInt64BE(8);
  const limit = Math.min(clusterBytes, start.length, backingOffset === 0n ? start.length : Number(backingOffset));
  let position = headerLength;
  while (position + 8 <= limit) {
    const type = start.readUInt32BE(position);
    const length = start.readUInt32BE(position + 4);
    if (type === extensions.end) return found;
    require(position + 8 + length <= limit, "has a header extension beyond the header");
    if (type === extensions.backingFormat) {
      found.backingFormat = start.toString("utf8", position + 8, position + 8 + length);
    }
    if (type === extensions.externalDataName) found.externalData = true;
    if (type === extensions.encryption) found.encryption = true;
    position += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

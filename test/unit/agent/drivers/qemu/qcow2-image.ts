/** A qcow2 header as a test wants it; what is left out is as `qemu-img create` makes it. */
export interface HeaderOptions {
  readonly version?: number;
  readonly virtualSizeBytes?: bigint;
  readonly clusterBits?: number;
  readonly cryptMethod?: number;
  readonly incompatible?: bigint;
  readonly headerLength?: number;
  readonly backingFile?: string;
  /** Overrides where the header says the name is. */
  readonly backingOffset?: bigint;
  readonly backingLength?: number;
  readonly extensions?: readonly { readonly type: number; readonly data: Buffer; readonly claimedLength?: number }[];
}

export const extensionTypes = { backingFormat: 0xe2792aca, externalData: 0x44415441, encryption: 0x0537be77 };

/** The format extension of a backing file. */
export const backingFormat = (format: string) => ({ type: extensionTypes.backingFormat, data: Buffer.from(format) });

/** Builds the first 64 KiB of a qcow2 image. */
export function makeQcow2(options: HeaderOptions = {}): Buffer {
  const image = Buffer.alloc(64 * 1024);
  const headerLength = options.headerLength ?? 104;
  image.writeUInt32BE(0x514649fb, 0);
  image.writeUInt32BE(options.version ?? 3, 4);
  image.writeUInt32BE(options.clusterBits ?? 16, 20);
  image.writeBigUInt64BE(options.virtualSizeBytes ?? 1024n * 1024n, 24);
  image.writeUInt32BE(options.cryptMethod ?? 0, 32);
  image.writeBigUInt64BE(options.incompatible ?? 0n, 72);
  image.writeUInt32BE(headerLength, 100);
  let position = options.version === 2 ? 72 : headerLength;
  if (options.version === 2) image.fill(0, 72, 104);
  for (const { type, data, claimedLength } of options.extensions ?? []) {
    image.writeUInt32BE(type, position);
    image.writeUInt32BE(claimedLength ?? data.length, position + 4);
    data.copy(image, position + 8);
    position += 8 + Math.ceil(data.length / 8) * 8;
  }
  if (options.backingFile !== undefined || options.backingOffset !== undefined) {
    const name = Buffer.from(options.backingFile ?? "");
    const offset = position + 8;
    name.copy(image, offset);
    image.writeBigUInt64BE(options.backingOffset ?? BigInt(offset), 8);
    image.writeUInt32BE(options.backingLength ?? name.length, 16);
  }
  return image;
}

import { crc32, deflateSync } from "node:zlib";

/** Longest side and largest area of a picture; more is no screen. */
const [maxSide, maxPixels] = [16_384, 64 * 1024 * 1024];
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * A picture as libvirt gives it, as PNG: it is that already, or a binary portable pixmap (ppm(5)) of 8 bits a colour, as QEMU writes them.
 * @throws {Error} when it is neither.
 */
export function toPng(picture: Buffer): Buffer {
  if (picture.subarray(0, pngSignature.length).equals(pngSignature)) return picture;
  const { width, height, data } = readPixmap(picture);
  const rowBytes = width * 3;
  // Each row begins with how it is filtered: not at all.
  const rows = Buffer.alloc((rowBytes + 1) * height);
  for (let row = 0; row < height; row += 1)
    data.copy(rows, row * (rowBytes + 1) + 1, row * rowBytes, (row + 1) * rowBytes);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a colour, three of them.
  header.set([8, 2, 0, 0, 0], 8);
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([pngSignature, ...parts]);
}

function readPixmap(picture: Buffer): { readonly width: number; readonly height: number; readonly data: Buffer } {
  const start = picture.toString("latin1", 0, 256);
  const match = /^P6\s(?:#[^\n]*\n)*\s*(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(start);
  const [width, height] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
  const data = picture.subarray(match?.[0].length ?? 0);
  const isWhole = width > 0 && height > 0 && width <= maxSide && height <= maxSide && width * height <= maxPixels;
  if (match === null || !isWhole || data.length < width * height * 3)
    throw new Error("libvirt gave a picture of a form that is not known");
  return { width, height, data };
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}

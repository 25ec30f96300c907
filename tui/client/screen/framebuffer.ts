/** A part of a picture, in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Longest side of a screen, in pixels. */
const maxSide = 4096;

/** A picture in memory, 0xRRGGBB for each pixel, that knows what of it has changed. */
export class Framebuffer {
  #width = 0;
  #height = 0;
  #pixels = new Uint32Array();
  #changed: Rectangle | undefined;

  /** @throws {Error} for a size that no screen has. */
  constructor(width: number, height: number) {
    this.resize(width, height);
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  /** Makes it anew, black. @throws {Error} for a size that no screen has. */
  resize(width: number, height: number): void {
    if (width < 1 || height < 1 || width > maxSide || height > maxSide) {
      throw new Error(`a screen of ${width}x${height} pixels is not shown, only up to ${maxSide}x${maxSide}`);
    }
    this.#width = width;
    this.#height = height;
    this.#pixels = new Uint32Array(width * height);
    this.#changed = { x: 0, y: 0, width, height };
  }

  /** @throws {Error} when the rectangle leads out of the picture. */
  assertInside({ x, y, width, height }: Rectangle): void {
    if (x + width <= this.#width && y + height <= this.#height) return;
    throw new Error(
      `a part of ${width}x${height} at ${x},${y} leads out of a screen of ${this.#width}x${this.#height}`,
    );
  }

  /** Puts one row of pixels, four bytes each (blue, green, red, nothing), at a place that {@link assertInside} has passed. */
  putRow(x: number, y: number, row: Buffer): void {
    const start = y * this.#width + x;
    for (let at = 0; at < row.length; at += 4) this.#pixels[start + at / 4] = row.readUInt32LE(at) & 0xffffff;
  }

  /** Copies a part to another place; they may overlap. Both have passed {@link assertInside}. */
  copy(from: { readonly x: number; readonly y: number }, to: Rectangle): void {
    const rows = Array.from({ length: to.height }, (_, row) => row);
    if (from.y < to.y) rows.reverse();
    for (const row of rows) {
      const start = (from.y + row) * this.#width + from.x;
      this.#pixels.copyWithin((to.y + row) * this.#width + to.x, start, start + to.width);
    }
  }

  /** Takes note that a part has changed. */
  touch(part: Rectangle): void {
    if (part.width === 0 || part.height === 0) return;
    const before = this.#changed ?? part;
    const x = Math.min(before.x, part.x);
    const y = Math.min(before.y, part.y);
    const right = Math.max(before.x + before.width, part.x + part.width);
    const bottom = Math.max(before.y + before.height, part.y + part.height);
    this.#changed = { x, y, width: right - x, height: bottom - y };
  }

  /** What has changed since it was last asked; undefined: nothing. */
  takeChanged(): Rectangle | undefined {
    const changed = this.#changed;
    this.#changed = undefined;
    return changed;
  }

  /** The mean colour of the pixels from (left, top) up to and without (right, bottom), at least of one; within the picture. */
  mean(left: number, top: number, right: number, bottom: number): number {
    let [red, green, blue, count] = [0, 0, 0, 0];
    for (let y = top; y < Math.max(bottom, top + 1); y++) {
      for (let x = left; x < Math.max(right, left + 1); x++) {
        const pixel = this.#pixels[y * this.#width + x] ?? 0;
        red += pixel >> 16;
        green += (pixel >> 8) & 0xff;
        blue += pixel & 0xff;
        count++;
      }
    }
    return (Math.round(red / count) << 16) | (Math.round(green / count) << 8) | Math.round(blue / count);
  }
}

/** A cell of the map; x grows to the right, y down. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle of cells. */
export interface Rect extends Point {
  readonly width: number;
  readonly height: number;
}

/** A rectangle moved by an offset. */
export function moved<R extends Rect>(rect: R, by: Point): R {
  return { ...rect, x: rect.x + by.x, y: rect.y + by.y };
}

/** Whether two rectangles share a cell, or come closer than the gaps. */
export function touches(left: Rect, right: Rect, gapX = 0, gapY = 0): boolean {
  return (
    left.x < right.x + right.width + gapX &&
    right.x < left.x + left.width + gapX &&
    left.y < right.y + right.height + gapY &&
    right.y < left.y + left.height + gapY
  );
}

/** The least size that holds all rectangles, from the first cell on. */
export function extentOf(rects: Iterable<Rect>): { readonly width: number; readonly height: number } {
  let [width, height] = [0, 0];
  for (const rect of rects) {
    width = Math.max(width, rect.x + rect.width);
    height = Math.max(height, rect.y + rect.height);
  }
  return { width, height };
}

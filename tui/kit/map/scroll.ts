import { extentOf, type Point, type Rect } from "./rect.js";
import type { Scene, SceneThing } from "./scene.js";

/** Cells that are seen of a scene. */
export interface Seen {
  readonly width: number;
  readonly height: number;
}

/** What stays seen around the cursor, in cells. */
const around = { x: 4, y: 2 } as const;

/** What is written of a thing. */
function wordsOf({ label, notes }: SceneThing): Rect {
  const rects = [label, ...notes.map(({ rect }) => rect)];
  const { width, height } = extentOf(rects);
  return { x: label.x, y: label.y, width: width - label.x, height: height - label.y };
}

/** Where the view begins so that the cursor is in it, moved as little as can be; with it all of its box, if that fits. */
export function scrolled(
  { width, height }: Scene,
  thing: SceneThing | undefined,
  { offset, seen }: { readonly offset: Point; readonly seen: Seen },
): Point {
  const { label } = thing ?? {};
  const box = thing === undefined ? undefined : (thing.box ?? wordsOf(thing));
  const along = (from: number, size: number, room: number, whole: number): ((at: number, margin: number) => number) => {
    return (at, margin) => {
      const most = Math.max(0, whole - room);
      // Of what is larger than the screen the beginning is seen.
      const last = Math.min(from - margin, at);
      const first = size + 2 * margin > room ? from - margin : Math.max(last, from + size + margin - room);
      return Math.min(most, Math.max(0, first));
    };
  };
  if (label === undefined)
    return { x: along(0, 0, seen.width, width)(offset.x, 0), y: along(0, 0, seen.height, height)(offset.y, 0) };
  const isWide = box !== undefined && box.width <= seen.width;
  const isTall = box !== undefined && box.height <= seen.height;
  const [x, across] = isWide ? [box.x, box.width] : [label.x, label.width];
  const [y, down] = isTall ? [box.y, box.height] : [label.y, label.height];
  const margin = (wanted: number, size: number, room: number): number =>
    Math.max(0, Math.min(wanted, Math.floor((room - size) / 2)));
  return {
    x: along(x, across, seen.width, width)(offset.x, margin(around.x, across, seen.width)),
    y: along(y, down, seen.height, height)(offset.y, margin(around.y, down, seen.height)),
  };
}

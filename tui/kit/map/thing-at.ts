import type { Rect } from "./rect.js";
import { isReached, type Scene } from "./scene.js";

/** Name of the thing at a cell of a map: what is written there, a cable that passes there, or the smallest box around it. */
export function thingAt(scene: Scene, { x, y }: { readonly x: number; readonly y: number }): string | undefined {
  const isIn = (rect: Rect): boolean =>
    x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
  const things = scene.things.filter((thing) => isReached(thing));
  const written = things.find(({ label, notes }) => isIn(label) || notes.some(({ rect }) => isIn(rect)));
  if (written !== undefined) return written.name;
  const passing = scene.routes.find(
    ({ of, way }) => scene.byName.has(of) && way.points.some((point) => point.x === x && point.y === y),
  );
  if (passing !== undefined) return passing.of;
  const around = things.flatMap(({ name, box }) =>
    box !== undefined && isIn(box) ? [{ name, size: box.width * box.height }] : [],
  );
  return around.sort((one, other) => one.size - other.size)[0]?.name;
}

import type { Tone } from "../states.js";
import { Canvas } from "./canvas.js";
import type { Looks } from "./looks.js";
import type { Rect } from "./rect.js";
import type { Scene, SceneThing } from "./scene.js";

/** Cells of the scene that are one of the mini-map: a row is as high as two columns are wide, and nothing may look longer than it is. */
function miniScale(
  scene: Pick<Scene, "width" | "height">,
  { width, height }: Pick<Rect, "width" | "height">,
): { readonly scaleX: number; readonly scaleY: number } {
  const scaleY = Math.max(1, scene.height / height, scene.width / width / 2);
  return { scaleX: scaleY * 2, scaleY };
}

/** The thing that is nearest to a cell of the mini-map. */
export function thingNear(
  scene: Scene,
  { x, y }: { readonly x: number; readonly y: number },
  size: Pick<Rect, "width" | "height">,
): SceneThing | undefined {
  const { scaleX, scaleY } = miniScale(scene, size);
  const far = ({ label }: SceneThing): number =>
    Math.hypot(label.x + label.width / 2 - (x + 0.5) * scaleX, 2 * (label.y - (y + 0.5) * scaleY));
  let best: SceneThing | undefined;
  for (const thing of scene.byName.values()) if (best === undefined || far(thing) < far(best)) best = thing;
  return best;
}

/** The whole scene in few cells: what is in the view is inverted. */
export function miniMap(
  scene: Scene,
  looks: Looks,
  { view, cursor, width, height }: { readonly view: Rect; readonly cursor: string } & Pick<Rect, "width" | "height">,
): Canvas {
  const canvas = new Canvas({ x: 0, y: 0, width, height });
  const { scaleX, scaleY } = miniScale(scene, { width, height });
  const [tallest, widest] = [Math.ceil(scene.height / scaleY), Math.ceil(scene.width / scaleX)];
  const isSeen = (x: number, y: number): boolean =>
    (x + 0.5) * scaleX >= view.x &&
    (x + 0.5) * scaleX < view.x + view.width &&
    (y + 0.5) * scaleY >= view.y &&
    (y + 0.5) * scaleY < view.y + view.height;
  const put = (x: number, y: number, character: string, tone: Tone): void =>
    canvas.put({ x, y }, character, { tone, inverse: isSeen(x, y) });
  for (let y = 0; y < Math.min(height, tallest); y += 1) {
    for (let x = 0; x < Math.min(width, widest); x += 1) put(x, y, " ", "dim");
  }
  const worst = new Map<number, number>();
  for (const thing of scene.things) {
    const { label, box, frame } = thing;
    if (frame === "host" && box !== undefined) {
      for (let y = Math.floor(box.y / scaleY); y < (box.y + box.height) / scaleY - 0.3; y += 1) {
        for (let x = Math.floor(box.x / scaleX); x < (box.x + box.width) / scaleX - 0.3; x += 1) {
          if (!worst.has(y * width + x)) put(x, y, "·", "dim");
        }
      }
    }
    if (frame === "group") continue;
    const [x, y] = [Math.floor(label.x / scaleX), Math.floor(label.y / scaleY)];
    const { tone } = box === undefined ? looks.styleOfCable(thing) : looks.styleOf(thing);
    const rank = tone === "bad" ? 2 : tone === "warn" ? 1 : 0;
    if ((worst.get(y * width + x) ?? -1) >= rank) continue;
    worst.set(y * width + x, rank);
    put(x, y, rank === 2 ? "✗" : rank === 1 ? "!" : "▪", rank === 0 ? "plain" : tone);
  }
  const at = scene.byName.get(cursor)?.label;
  if (at !== undefined) put(Math.floor(at.x / scaleX), Math.floor(at.y / scaleY), "●", "accent");
  return canvas;
}

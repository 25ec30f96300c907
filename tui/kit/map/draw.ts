import type { Tone } from "../states.js";
import { Canvas } from "./canvas.js";
import { type Joint, joined, leaving, lineCharacter, roundCorners } from "./line-chars.js";
import type { Looks } from "./looks.js";
import { type Point, type Rect, touches } from "./rect.js";
import type { Condition } from "./role.js";
import type { Frame, Scene, SceneRoute, SceneThing } from "./scene.js";

/** What is drawn of a scene. */
export interface Drawing {
  readonly scene: Scene;
  readonly looks: Looks;
  /** The part of it. */
  readonly view: Rect;
  /** Name of what the cursor is on; what is plugged into it stands out. */
  readonly cursor?: string | undefined;
}

/** Draws a part of a scene. */
export function draw({ scene, looks, view, cursor }: Drawing): Canvas {
  const canvas = new Canvas(view);
  const shown = scene.things.filter(({ box, label }) => touches(box ?? label, view));
  const cells = new Cells(view);
  for (const thing of shown)
    if (thing.box !== undefined) cells.box(thing.box, frameTone(thing, looks), thing.frame !== "lan");
  for (const route of scene.routes) {
    const near = cursor !== undefined && (route.from === cursor || route.to === cursor || route.of === cursor);
    const condition = route.of === "" ? "whole" : looks.conditionOf(route.of);
    cells.route(route, { condition, tone: near ? "accent" : toneOf[condition] });
  }
  cells.putOn(canvas);
  for (const thing of shown) write(canvas, thing, looks, thing.name === cursor);
  return canvas;
}

const toneOf: Readonly<Record<Condition, Tone>> = { whole: "plain", impaired: "warn", broken: "bad" };

const frames: Readonly<Record<Frame, Tone>> = { host: "dim", lan: "plain", thing: "plain", group: "dim" };

function frameTone(thing: SceneThing, looks: Looks): Tone {
  if (thing.frame === "group") return frames.group;
  const { tone } = looks.styleOf(thing);
  return tone === "bad" || tone === "warn" ? tone : frames[thing.frame ?? "thing"];
}

function write(canvas: Canvas, thing: SceneThing, looks: Looks, isCursor: boolean): void {
  const { label, frame, text, notes } = thing;
  const around = frame === undefined ? [] : [label.x - 1, label.x + label.width];
  for (const x of around) canvas.put({ x, y: label.y }, " ");
  if (frame === "group") {
    canvas.write(label, text, { tone: "dim" });
    return;
  }
  const style = thing.box === undefined ? looks.styleOfCable(thing) : looks.styleOf(thing);
  const name = { ...label, x: label.x + 2, width: label.width - 2 };
  const ink = isCursor
    ? { tone: style.tone, inverse: true }
    : ({ tone: frame === "host" ? "strong" : "plain" } as const);
  canvas.put(label, style.symbol, { ...ink, tone: style.tone });
  canvas.put({ x: label.x + 1, y: label.y }, " ", ink);
  canvas.write(name, text, ink);
  for (const note of notes) canvas.write(note.rect, looks.noteOf(thing, note), { tone: "dim" });
}

interface Cell {
  joint: Joint;
  condition: Condition;
  tone: Tone;
  /** It is the corner of a box of which corners are round. */
  isRound?: boolean;
}

/** The lines of a part of a map, before it is known what meets in a cell. */
class Cells {
  readonly #view: Rect;
  readonly #cells = new Map<number, Cell>();

  constructor(view: Rect) {
    this.#view = view;
  }

  box({ x, y, width, height }: Rect, tone: Tone, isRound: boolean): void {
    const [right, bottom] = [x + width - 1, y + height - 1];
    const across = leaving(1, "light") | leaving(3, "light");
    const down = leaving(0, "light") | leaving(2, "light");
    for (let at = x + 1; at < right; at += 1) {
      for (const row of [y, bottom]) this.#add({ x: at, y: row }, across, { condition: "whole", tone });
    }
    for (let at = y + 1; at < bottom; at += 1) {
      for (const column of [x, right]) this.#add({ x: column, y: at }, down, { condition: "whole", tone });
    }
    const corners = [
      [x, y, 1, 2],
      [right, y, 2, 3],
      [x, bottom, 0, 1],
      [right, bottom, 0, 3],
    ] as const;
    for (const [column, row, one, other] of corners) {
      this.#add({ x: column, y: row }, leaving(one, "light") | leaving(other, "light"), {
        condition: "whole",
        tone,
        isRound,
      });
    }
  }

  route({ way: { points, from, to }, framed, sharedFrom, ...route }: SceneRoute, ink: Omit<Cell, "joint">): void {
    // Of double lines there are no worn ones.
    const line = route.line === "double" && ink.condition !== "whole" ? "heavy" : route.line;
    for (const [index, point] of points.entries()) {
      const [before, after] = [points[index - 1], points[index + 1]];
      let joint = before === undefined ? leaving(from.way, line) : leaving(wayTo(point, before), line);
      if (after !== undefined) joint |= leaving(wayTo(point, after), line);
      else if (to !== undefined) joint |= leaving(to.way, line);
      // Where it has come together with others, it is the lan's.
      const isShared = index >= sharedFrom;
      this.#add(point, joint, isShared ? { ...ink, condition: "whole", tone: "plain" } : ink);
    }
    if (framed.from) this.#add(stepped(from, from.way), leaving(opposite(from.way), line), undefined);
    if (framed.to && to !== undefined) this.#add(stepped(to, to.way), leaving(opposite(to.way), line), undefined);
  }

  putOn(canvas: Canvas): void {
    const { x, y, width } = this.#view;
    for (const [at, { joint, condition, tone, isRound }] of this.#cells) {
      const character = lineCharacter(joint, condition);
      const shown = isRound === true ? (roundCorners[character] ?? character) : character;
      canvas.put({ x: x + (at % width), y: y + Math.floor(at / width) }, shown, { tone });
    }
  }

  /** @param ink undefined: that of what is there. */
  #add({ x, y }: Point, joint: Joint, ink: Omit<Cell, "joint"> | undefined): void {
    const [left, top] = [x - this.#view.x, y - this.#view.y];
    if (left < 0 || top < 0 || left >= this.#view.width || top >= this.#view.height) return;
    const at = top * this.#view.width + left;
    const there = this.#cells.get(at);
    if (there === undefined) {
      this.#cells.set(at, { joint, condition: "whole", tone: "plain", ...ink });
      return;
    }
    there.joint = joined(there.joint, joint);
    if (ink === undefined) return;
    // Where lines cross, both are whole to the eye; the worse of them gives the colour.
    there.condition = "whole";
    if (worth[ink.tone] > worth[there.tone]) there.tone = ink.tone;
  }
}

const worth: Readonly<Record<Tone, number>> = {
  dim: 0,
  plain: 1,
  good: 1,
  strong: 1,
  busy: 1,
  warn: 2,
  bad: 3,
  accent: 4,
};

function wayTo(from: Point, to: Point): number {
  if (to.x !== from.x) return to.x > from.x ? 1 : 3;
  return to.y > from.y ? 2 : 0;
}

function stepped({ x, y }: Point, way: number): Point {
  if (way % 2 === 1) return { x: way === 1 ? x + 1 : x - 1, y };
  return { x, y: way === 2 ? y + 1 : y - 1 };
}

function opposite(way: number): number {
  return (way + 2) % 4;
}

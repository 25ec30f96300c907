import type { Tone } from "../states.js";
import { cutText } from "../text/text-width.js";
import { cornersOf } from "./as-json.js";
import type { Looks } from "./looks.js";
import type { Point, Rect } from "./rect.js";
import type { Condition, MapLine } from "./role.js";
import { isReached, type Scene, type SceneRoute, type SceneThing } from "./scene.js";

/** A cell of the map in the picture's own unit. */
const cell = { width: 8.4, height: 18 } as const;
/** From the top of a line to where letters stand. */
const baseline = 13.5;
const colors: Readonly<Record<Tone, string>> = {
  plain: "#d7dae0",
  strong: "#ffffff",
  dim: "#7d8590",
  good: "#98c379",
  busy: "#56b6c2",
  warn: "#e5c07b",
  bad: "#e06c75",
  accent: "#56b6c2",
};
const widths: Readonly<Record<MapLine, number>> = { light: 1.2, heavy: 2.4, double: 3.6 };
const dashes: Readonly<Record<Condition, string>> = { whole: "", impaired: "6 3", broken: "2 5" };
const cableTones: Readonly<Record<Condition, Tone>> = { whole: "plain", impaired: "warn", broken: "bad" };

/** The scene as a picture: boxes, ways and names where the terminal has them. */
export function sceneSvg(scene: Scene, looks: Looks, title: string): string {
  const [width, height] = [across(scene.width + 1), down(scene.height + 1)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#1c1f26"/>`,
    ...scene.things.flatMap((thing) => boxOf(thing, looks)),
    ...scene.routes.map((route) => lineOf(route, looks)),
    ...scene.things.flatMap((thing) => wordsOf(thing, looks)),
    "</svg>",
    "",
  ].join("\n");
}

function boxOf(thing: SceneThing, looks: Looks): readonly string[] {
  const { box, frame } = thing;
  if (box === undefined) return [];
  const { tone } = isReached(thing) ? looks.styleOf(thing) : { tone: "dim" as const };
  const stroke = tone === "bad" || tone === "warn" ? colors[tone] : colors.dim;
  const fill = frame === "host" ? "none" : "#262b34";
  const dash = frame === "group" ? ' stroke-dasharray="3 3"' : "";
  const radius = frame === "lan" ? 0 : 6;
  return [
    `<rect x="${middleX(box.x)}" y="${middleY(box.y)}" width="${across(box.width - 1)}" height="${down(box.height - 1)}" rx="${radius}" fill="${fill}" stroke="${stroke}"${dash}/>`,
  ];
}

function lineOf({ way, line, of }: SceneRoute, looks: Looks): string {
  const condition = of === "" ? "whole" : looks.conditionOf(of);
  const begin = stepped(way.from, way.from.way);
  const end = way.to === undefined ? [] : [stepped(way.to, way.to.way)];
  const points = [begin, ...cornersOf(way.points), ...end].map(({ x, y }) => `${middleX(x)},${middleY(y)}`).join(" ");
  const dash = dashes[condition] === "" ? "" : ` stroke-dasharray="${dashes[condition]}"`;
  return `<polyline points="${points}" fill="none" stroke="${colors[cableTones[condition]]}" stroke-width="${widths[line]}"${dash}/>`;
}

function wordsOf(thing: SceneThing, looks: Looks): readonly string[] {
  const { label, text, frame, notes } = thing;
  // What stands in a border, or on a line, has the background behind it.
  const room =
    frame === undefined
      ? []
      : [
          `<rect x="${across(label.x - 0.5)}" y="${down(label.y)}" width="${across(label.width + 1)}" height="${down(1)}" fill="#1c1f26"/>`,
        ];
  if (!isReached(thing)) return [...room, textAt(label, text, "dim")];
  const style = thing.box === undefined ? looks.styleOfCable(thing) : looks.styleOf(thing);
  const rest = { ...label, x: label.x + 2, width: label.width - 2 };
  return [
    ...room,
    textAt({ ...label, width: 1 }, style.symbol, style.tone),
    textAt(rest, text, frame === "host" ? "strong" : "plain"),
    ...notes.map((note) => textAt(note.rect, looks.noteOf(thing, note), "dim")),
  ];
}

function textAt({ x, y, width }: Rect, text: string, tone: Tone): string {
  const shown = cutText(text, width).trimEnd();
  if (shown === "") return "";
  return `<text x="${across(x)}" y="${Number((down(y) + baseline).toFixed(1))}" xml:space="preserve" fill="${colors[tone]}">${escaped(shown)}</text>`;
}

function across(cells: number): number {
  return Number((cells * cell.width).toFixed(1));
}

function down(cells: number): number {
  return Number((cells * cell.height).toFixed(1));
}

function middleX(x: number): number {
  return across(x + 0.5);
}

function middleY(y: number): number {
  return down(y + 0.5);
}

function stepped({ x, y }: Point, way: number): Point {
  if (way % 2 === 1) return { x: way === 1 ? x + 1 : x - 1, y };
  return { x, y: way === 2 ? y + 1 : y - 1 };
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

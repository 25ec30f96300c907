import { plainText } from "../text/plain-text.js";
import { textWidth } from "../text/text-width.js";
import { byId, type MapThing } from "./graph.js";
import type { Dock } from "./maze.js";
import { moved, type Point, type Rect } from "./rect.js";
import type { Frame, SceneThing, Zoom } from "./scene.js";

/** Something that is placed as one: a lan with what is only in it, a thing with its plugs, a cable's name. */
export interface Block {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly frame: Frame | undefined;
  /** What is in it, from its first cell on. */
  readonly things: readonly SceneThing[];
  /** Line of each end that has one of its own, by its name. */
  readonly lineOf: ReadonlyMap<string, number>;
  readonly cells?: CellGrid;
}

/** How names stand in a lan: kept from one layout to the next, so that what is added moves nothing. */
export interface CellGrid {
  /** Line by line; empty: a hole. */
  readonly order: readonly string[];
  readonly columns: number;
  readonly width: number;
}

/** Longest names that are written in full. */
const longestName = 22;
/** "eth0 10.0.0.10" */
const endWidth = 21;
/** "20ms±5 1% 10Mb/s" */
const figureWidth = 16;
const figureLines = 2;
const aspect = 3.2;

/** Cells of the label of a thing: its state, a space, its word and name. */
function labelWidth({ id, word }: Pick<MapThing, "id" | "word">): number {
  return 2 + Math.min(longestName, textWidth(labelText({ id, word })));
}

/** What is written beside the state. */
function labelText({ id, word }: Pick<MapThing, "id" | "word">): string {
  return word === "" ? plainText(id) : `${word} ${plainText(id)}`;
}

function thingAt(thing: MapThing, { x, y }: Point, host: string): SceneThing {
  const label = { x, y, width: labelWidth(thing), height: 1 };
  return { name: thing.name, kind: thing.kind, text: labelText(thing), host, label, notes: [] };
}

/** A lan with what is plugged into it and into nothing else. */
export function lanBlock(lan: MapThing, leaves: readonly MapThing[], how: Within): Block {
  const grid = gridOf(leaves, how);
  const { things, width, height } = inGrid(leaves, grid, how);
  return framed({ thing: thingAt(lan, { x: 3, y: 0 }, how.host), frame: "lan", grid, things, width, height });
}

/** What is plugged into nothing, together. */
export function looseBlock(loose: readonly MapThing[], how: Within): Block {
  const grid = gridOf(loose, how);
  const { things, width, height } = inGrid(loose, grid, how);
  const text = "not plugged in";
  const label = { x: 3, y: 0, width: text.length, height: 1 };
  const thing: SceneThing = { name: looseId(how.host), kind: "", text, host: how.host, label, notes: [] };
  return framed({ thing, frame: "group", grid, things, width, height });
}

/** Id of the block of what is plugged into nothing. */
export function looseId(host: string): string {
  return `loose/${host}`;
}

/** A thing with a line for each of its ends that a cable leads to. */
export function thingBlock(thing: MapThing, ends: readonly string[], { host, zoom }: Within): Block {
  const words = thing.ends.filter(({ name }) => ends.includes(name));
  const widest = Math.max(...words.map(({ word }) => textWidth(plainText(word))), 0);
  const width = zoom === "lan" ? endWidth : Math.min(widest, longestName);
  const notes = words.map(({ name }, index) => ({
    rect: { x: 2, y: 1 + index, width: Math.max(1, width), height: 1 },
    end: name,
    index: 0,
    isBrief: zoom !== "lan",
  }));
  const whole = { ...thingAt(thing, { x: 3, y: 0 }, host), notes };
  const block = framed({ thing: whole, frame: "thing", things: [], width: width + 2, height: words.length });
  return { ...block, lineOf: new Map(words.map(({ name }, index) => [name, 1 + index])) };
}

/** The name of a cable, in the middle of it. */
export function cableBlock(cable: MapThing, { host, zoom }: Within): Block {
  const thing = thingAt(cable, { x: 1, y: 0 }, host);
  const lines = zoom === "lan" ? figureLines : 0;
  const width = lines === 0 ? thing.label.width : Math.max(thing.label.width, figureWidth);
  const notes = Array.from({ length: lines }, (_, index) => ({
    rect: { x: 1, y: 1 + index, width, height: 1 },
    end: "",
    index,
  }));
  return {
    id: cable.name,
    width: width + 2,
    height: 1 + lines,
    frame: undefined,
    things: [{ ...thing, notes }],
    lineOf: new Map(),
  };
}

/** A host that is not open: its name, and room to say what is in it. */
export function closedHost(id: string): Block {
  const thing = thingAt({ ...nothing, name: `hosts/${id}`, kind: "host", id }, { x: 3, y: 0 }, id);
  const width = Math.max(closedWidth, thing.label.width + 3);
  const notes = [0, 1].map((index) => ({ rect: { x: 2, y: 1 + index, width: width - 2, height: 1 }, end: "", index }));
  return framed({ thing: { ...thing, notes }, frame: "host", things: [], width, height: notes.length });
}

/** "12 lans  3 nats" */
const closedWidth = 20;

const nothing: MapThing = { name: "", kind: "", id: "", word: "", shape: "thing", ends: [] };

/** Where a block is drawn, and how open. */
export interface Within {
  readonly host: string;
  readonly zoom: Zoom;
  /** How the names of the block stood before. */
  readonly before?: CellGrid | undefined;
}

function framed(given: {
  readonly thing: SceneThing;
  readonly frame: Frame;
  readonly grid?: CellGrid;
  readonly things: readonly SceneThing[];
  readonly width: number;
  readonly height: number;
}): Block {
  const { thing, frame, things } = given;
  const width = Math.max(given.width + 2, thing.label.width + 6);
  const height = Math.max(given.height, 1) + 2;
  const box = { x: 0, y: 0, width, height };
  return {
    id: thing.name,
    width,
    height,
    frame,
    things: [{ ...thing, box, frame }, ...things],
    lineOf: new Map(),
    ...(given.grid === undefined ? {} : { cells: given.grid }),
  };
}

function gridOf(leaves: readonly MapThing[], { zoom, before }: Within): CellGrid {
  const names = new Map(leaves.map((leaf) => [leaf.name, leaf]));
  const isKept = new Set(before?.order);
  const added = leaves
    .filter(({ name }) => !isKept.has(name))
    .sort((left, right) => byId(left.id, right.id))
    .map(({ name }) => name);
  // What left has left a hole, which is filled first.
  const kept = (before?.order ?? []).map((name) => (names.has(name) ? name : (added.shift() ?? "")));
  const order = [...kept.slice(0, 1 + kept.findLastIndex((name) => name !== "")), ...added];
  const natural = Math.max(...leaves.map(labelWidth), 0) + (zoom === "lan" ? 1 + endWidth : 0);
  const width = Math.max(natural, before?.width ?? 0);
  const few = before !== undefined && order.length <= before.order.length * 2;
  const columns = few ? before.columns : Math.max(1, Math.round(Math.sqrt((aspect * order.length) / (width + 2))));
  return { order, columns, width };
}

function inGrid(
  leaves: readonly MapThing[],
  { order, columns, width }: CellGrid,
  { host, zoom }: Within,
): { readonly things: readonly SceneThing[]; readonly width: number; readonly height: number } {
  const byName = new Map(leaves.map((leaf) => [leaf.name, leaf]));
  const things = order.flatMap((name, index) => {
    const leaf = byName.get(name);
    if (leaf === undefined) return [];
    const at = { x: 2 + (index % columns) * (width + 2), y: 1 + Math.floor(index / columns) };
    const thing = thingAt(leaf, at, host);
    if (zoom !== "lan") return [thing];
    const rect = { x: at.x + width - endWidth, y: at.y, width: endWidth, height: 1 };
    return [{ ...thing, notes: [{ rect, end: leaf.ends.find(({ into }) => into !== "")?.name ?? "", index: 0 }] }];
  });
  const used = Math.min(columns, order.length);
  return { things, width: used === 0 ? 0 : used * (width + 2), height: Math.ceil(order.length / columns) };
}

/** A thing where it is on the map. */
export function movedThing(thing: SceneThing, by: Point): SceneThing {
  return {
    ...thing,
    label: moved(thing.label, by),
    ...(thing.box === undefined ? {} : { box: moved(thing.box, by) }),
    notes: thing.notes.map((note) => ({ ...note, rect: moved(note.rect, by) })),
  };
}

/** Where cables can end at a block: beside a line of it, else at its sides, below, and above from a column on. */
export function docksOf(rect: Rect, line: number | undefined, top = rect.width): readonly Dock[] {
  const sides = (y: number): readonly Dock[] => [
    { x: rect.x - 1, y, way: 1 },
    { x: rect.x + rect.width, y, way: 3 },
  ];
  if (line !== undefined) return sides(rect.y + line);
  const [first, last] = rect.height < 3 ? [0, 1] : [1, rect.height - 1];
  const lines = Array.from({ length: last - first }, (_, index) => rect.y + first + index);
  const below = Array.from({ length: Math.max(0, rect.width - 2) }, (_, index) => ({
    x: rect.x + 1 + index,
    y: rect.y + rect.height,
    way: 0,
  }));
  const above = below.slice(Math.max(0, top - 1)).map(({ x }) => ({ x, y: rect.y - 1, way: 2 }));
  return [...lines.flatMap(sides), ...below, ...above];
}

/** Where cables can end at the name of one: on both sides of it, above and below. */
export function docksOfName(rect: Rect): readonly Dock[] {
  const x = rect.x + Math.floor(rect.width / 2);
  return [
    { x: rect.x - 1, y: rect.y, way: 1 },
    { x: rect.x + rect.width, y: rect.y, way: 3 },
    { x, y: rect.y - 1, way: 2 },
    { x, y: rect.y + rect.height, way: 0 },
  ];
}

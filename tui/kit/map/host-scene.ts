import {
  type Block,
  cableBlock,
  type CellGrid,
  closedHost,
  lanBlock,
  looseBlock,
  looseId,
  movedThing,
  thingBlock,
  type Within,
} from "./block.js";
import { type MapHost, type MapThing, ownerOf } from "./graph.js";
import { Maze } from "./maze.js";
import { type Places, place, type Tie } from "./place.js";
import { extentOf, moved, type Point, type Rect } from "./rect.js";
import type { MapLine } from "./role.js";
import type { SceneNote, SceneRoute, SceneThing, Zoom } from "./scene.js";
import { type End, Nets, type Wanted, wire } from "./wiring.js";

/** A host as it is drawn, from its own first cell on. */
export interface HostScene {
  readonly id: string;
  /** What it was made of. */
  readonly key: string;
  readonly width: number;
  readonly height: number;
  readonly things: readonly SceneThing[];
  /** What stands in the way of cables that come from elsewhere; undefined: the host is closed, and is that itself. */
  readonly blocks: readonly Rect[] | undefined;
  readonly routes: readonly SceneRoute[];
  /** Where cables from elsewhere end, by the name of lan, thing or interface. */
  readonly ends: ReadonlyMap<string, End>;
  readonly places: Places;
  readonly grids: ReadonlyMap<string, CellGrid>;
}

/** From the border of a host to what is in it: room for cables. */
const margin = { x: 4, y: 2 } as const;
const gaps = { x: 4, y: 1 } as const;

/** A closed host. */
export function closedScene(host: MapHost): HostScene {
  const { width, height, things } = closedHost(host.id);
  const box = { x: 0, y: 0, width, height };
  const [own] = things;
  const none = { routes: [], places: new Map(), grids: new Map() };
  return {
    ...none,
    id: host.id,
    key: "closed",
    width,
    height,
    things,
    blocks: undefined,
    ends: new Map([[host.name, { thing: host.name, rect: box, ...(own === undefined ? {} : { top: topOf(own) }) }]]),
  };
}

/** How a host is opened. */
export interface Opening {
  readonly zoom: Zoom;
  /** Names of the ends that cables between hosts lead to. */
  readonly outside: ReadonlySet<string>;
  /** The line of a cable, by its kind. */
  readonly lineOf: (kind: string) => MapLine;
}

/** A host with all that is in it; what was in it before stays where it was. */
export function openScene(host: MapHost, opening: Opening, before: HostScene | undefined): HostScene {
  const { zoom, outside, lineOf } = opening;
  const key = `${zoom}|${host.signature}|${[...outside].filter((name) => name.startsWith(`${host.name}/`)).join(",")}`;
  if (before?.key === key) return before;
  const parts = partsOf(host, opening, before);
  const links = host.cables.flatMap((cable) => halvesOf(cable, lineOf(cable.kind)));
  const halves = [...parts.plugs, ...links].filter(({ from, to }) => parts.has(from) && parts.has(to));
  const ties: Tie[] = halves.map(({ from, to, back }) =>
    back ? { from: ownerOf(to), to: ownerOf(from) } : { from: ownerOf(from), to: ownerOf(to) },
  );
  const places = place(parts.blocks, ties, gaps, before?.places);
  const set = parts.blocks.map((block) => {
    const at = places.get(block.id) ?? { x: 0, y: 0 };
    return { block, rect: { x: at.x + margin.x, y: at.y + margin.y, width: block.width, height: block.height } };
  });
  const label = closedHost(host.id).things[0];
  const inner = extentOf(set.map(({ rect }) => rect));
  const width = Math.max(inner.width, (label?.label.width ?? 0) + 3) + margin.x;
  const height = Math.max(inner.height + margin.y, 3);
  const maze = new Maze(width, height);
  // Not along the border: there the lines of cables and the border could not be told apart.
  for (const side of [
    { x: 0, y: 0, width, height: 1 },
    { x: 0, y: height - 1, width, height: 1 },
  ])
    maze.block(side);
  for (const side of [
    { x: 0, y: 0, width: 1, height },
    { x: width - 1, y: 0, width: 1, height },
  ])
    maze.block(side);
  const blocks = set.flatMap(({ block, rect }) => taken(block, rect));
  for (const rect of blocks) maze.block(rect);
  const ends = endsOf(set);
  const wanted = halves.flatMap(({ from, to, of, line, net }): Wanted[] => {
    const [begin, end] = [ends.get(from), ends.get(to)];
    return begin === undefined || end === undefined ? [] : [{ from: begin, to: end, of, line, net }];
  });
  const box = { x: 0, y: 0, width, height };
  const own: readonly SceneThing[] = label === undefined ? [] : [{ ...label, box, notes: [] }];
  return {
    id: host.id,
    key,
    width,
    height,
    things: [...own, ...set.flatMap(({ block, rect }) => block.things.map((thing) => movedThing(thing, rect)))],
    blocks,
    routes: wire(maze, new Nets(), wanted, []),
    ends: new Map([...ends, [host.name, { thing: host.name, rect: box }]]),
    places,
    grids: new Map(parts.blocks.flatMap(({ id, cells }) => (cells === undefined ? [] : [[id, cells]]))),
  };
}

/** What of a block nothing can pass. */
function taken({ frame, things: [first] }: Block, rect: Rect): readonly Rect[] {
  return frame === undefined && first !== undefined ? nameRects(first.label, first.notes, rect) : [rect];
}

/** A cable from a thing to a lan, or half of one that has a name in its middle. */
interface Half {
  /** Name of the thing's end, or of the cable. */
  readonly from: string;
  /** Name of the lan, or of the end. */
  readonly to: string;
  /** What it leads to stands before it. */
  readonly back: boolean;
  readonly of: string;
  readonly line: MapLine;
  readonly net: string;
}

interface Parts {
  readonly blocks: readonly Block[];
  readonly plugs: readonly Half[];
  has(end: string): boolean;
}

function partsOf(host: MapHost, { zoom, outside }: Opening, before: HostScene | undefined): Parts {
  const cabled = new Set([...outside, ...host.cables.flatMap(({ ends }) => ends.map(({ into }) => into))]);
  const lans = new Set(host.lans.map(({ name }) => name));
  const usedOf = (thing: MapThing): readonly string[] =>
    thing.ends.filter(({ name, into }) => lans.has(into) || cabled.has(name)).map(({ name }) => name);
  const leaves = new Map<string, MapThing[]>(host.lans.map(({ name }) => [name, []]));
  const [loose, apart]: [MapThing[], MapThing[]] = [[], []];
  for (const thing of host.things) {
    const used = usedOf(thing);
    const end = thing.ends.find(({ name }) => name === used[0]);
    if (used.length === 0) loose.push(thing);
    else if (used.length > 1 || end === undefined || cabled.has(end.name)) apart.push(thing);
    else leaves.get(end.into)?.push(thing);
  }
  const within = (id: string): Within => ({ host: host.id, zoom, before: before?.grids.get(id) });
  const blocks = [
    ...host.lans.map((lan) => lanBlock(lan, leaves.get(lan.name) ?? [], within(lan.name))),
    ...apart.map((thing) => thingBlock(thing, usedOf(thing), within(thing.name))),
    ...host.cables.map((cable) => cableBlock(cable, within(cable.name))),
    ...(loose.length === 0 ? [] : [looseBlock(loose, within(looseId(host.id)))]),
  ];
  const plugs = apart.flatMap((thing) => {
    const plugged = thing.ends.filter(({ into }) => lans.has(into));
    return plugged.map(
      ({ name, into }, index): Half => ({
        from: name,
        to: into,
        back: index === 0,
        of: "",
        line: "light",
        net: into,
      }),
    );
  });
  const ids = new Set(blocks.map(({ id }) => id));
  return { blocks, plugs, has: (end) => ids.has(ownerOf(end)) };
}

/** The two halves of a cable: from its name in the middle to each of its ends. */
export function halvesOf(cable: MapThing, line: MapLine): readonly Half[] {
  return cable.ends.flatMap(({ into }, index) =>
    into === "" ? [] : [{ from: cable.name, to: into, back: index === 0, of: cable.name, line, net: into }],
  );
}

/** Where cables end, by the name of what is there. */
function endsOf(set: readonly { readonly block: Block; readonly rect: Rect }[]): ReadonlyMap<string, End> {
  const ends = new Map<string, End>();
  for (const { block, rect } of set) {
    const [first] = block.things;
    if (first === undefined) continue;
    if (block.frame === undefined) {
      ends.set(block.id, nameEnd(first, rect));
      continue;
    }
    ends.set(block.id, { thing: block.id, rect, top: topOf(first) });
    for (const [end, line] of block.lineOf) ends.set(end, { thing: block.id, rect, line });
    for (const { name } of block.things) if (!ends.has(name)) ends.set(name, { thing: name, rect });
  }
  return ends;
}

/** Where a cable leaves its name: beside the line with the name, whatever is said below it. */
export function nameEnd({ name, label }: SceneThing, { x, y }: Point): End {
  return { thing: name, rect: nameRects(label, [], { x, y })[0], isName: true };
}

/** What the name of a cable takes, with a space on both sides, and what is said below it. */
export function nameRects(label: Rect, notes: readonly SceneNote[], at: Point): readonly [Rect, ...Rect[]] {
  const wide = (rect: Rect): Rect => ({ ...moved(rect, at), x: at.x + rect.x - 1, width: rect.width + 2 });
  return [wide(label), ...notes.map(({ rect }) => wide(rect))];
}

/** Column of a box beside what is written in its border. */
function topOf({ label }: SceneThing): number {
  return label.x + label.width + 1;
}

/** A way in a host, moved to where the host is. */
export function movedRoute(route: SceneRoute, by: { readonly x: number; readonly y: number }): SceneRoute {
  const { points, from, to } = route.way;
  const way = {
    points: points.map(({ x, y }) => ({ x: x + by.x, y: y + by.y })),
    from: { ...from, x: from.x + by.x, y: from.y + by.y },
    to: to === undefined ? undefined : { ...to, x: to.x + by.x, y: to.y + by.y },
  };
  return { ...route, way };
}

/** An end in a host, moved to where the host is. */
export function movedEnd(end: End, by: { readonly x: number; readonly y: number }): End {
  return { ...end, rect: moved(end.rect, by) };
}

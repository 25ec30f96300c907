import type { KindTable } from "../kind-table.js";
import { pluralOf } from "../kind-table.js";
import { type Block, cableBlock, movedThing } from "./block.js";
import { hostsOf, type MapGraph, type MapHost, type MapThing } from "./graph.js";
import {
  closedScene,
  halvesOf,
  type HostScene,
  movedEnd,
  movedRoute,
  nameEnd,
  nameRects,
  openScene,
} from "./host-scene.js";
import { Maze } from "./maze.js";
import { type Places, place } from "./place.js";
import { extentOf, type Rect } from "./rect.js";
import type { MapLine } from "./role.js";
import { isReached, type Scene, type SceneRoute, type SceneThing, type Zoom } from "./scene.js";
import { type End, Nets, type Wanted, wire } from "./wiring.js";

/** More things than this are not opened at once: the host that is looked at is open, the others are closed. */
const mostOpen = 3000;
/** More cells than this are not searched for ways. */
const mostCells = 2_000_000;
const gaps = { fleet: { x: 4, y: 1 }, host: { x: 5, y: 2 }, lan: { x: 5, y: 2 } } as const;

/** Lays the map out, zoom by zoom, and keeps what has not changed where it is. */
export class SceneMaker {
  readonly #kinds: KindTable;
  readonly #scenes = new Map<Zoom, Made>();

  constructor(kinds: KindTable) {
    this.#kinds = kinds;
  }

  /** The scene of a graph; the same object as long as the graph is. @param focus the host that is open when there is too much for all. */
  make(graph: MapGraph, zoom: Zoom, focus: string): Scene {
    const before = this.#scenes.get(zoom);
    const isLarge = sizeOf(graph) > mostOpen;
    const open = isLarge ? focus : "";
    if (before?.graph === graph && before.open === open) return before.scene;
    const isOpen = (id: string): boolean => zoom !== "fleet" && (!isLarge || id === focus);
    const made = this.#make({ graph, zoom, open }, isOpen, before);
    this.#scenes.set(zoom, made);
    return made.scene;
  }

  /** Forgets where everything was: the next scene is laid out anew. */
  forget(): void {
    this.#scenes.clear();
  }

  #make(
    { graph, zoom, open }: Pick<Made, "graph" | "open"> & { readonly zoom: Zoom },
    isOpen: (id: string) => boolean,
    before: Made | undefined,
  ): Made {
    const outside = new Set(graph.cables.flatMap(({ ends }) => ends.map(({ into }) => into)));
    const lineOf = (kind: string): MapLine => this.#kinds.find(kind)?.map?.line ?? "light";
    const hosts = new Map<string, HostScene>();
    for (const host of graph.hosts.values()) {
      const known = before?.hosts.get(host.id);
      hosts.set(host.id, isOpen(host.id) ? openScene(host, { zoom, outside, lineOf }, known) : closedScene(host));
    }
    const names =
      zoom === "fleet" ? bundled(graph.cables, this.#kinds) : graph.cables.map((cable): Named => ({ cable }));
    const chips = names.map(
      ({ cable, members }): Chip => ({ cable, members, block: cableBlock(cable, { host: "", zoom }) }),
    );
    const items = [
      ...[...hosts.values()].map(({ id, width, height }) => ({ id: `hosts/${id}`, width, height })),
      ...chips.map(({ block }) => block),
    ];
    const ties = chips.flatMap(({ cable }) => {
      const [a = "", b = ""] = hostsOf(cable);
      return [
        { from: `hosts/${a}`, to: cable.name },
        { from: cable.name, to: `hosts/${b}` },
      ];
    });
    const places = place(items, ties, gaps[zoom], before?.places);
    const scene = assemble({ zoom, hosts, chips, places, lineOf });
    return { graph, open, hosts, places, scene };
  }
}

interface Made {
  readonly graph: MapGraph;
  /** The host that is open; empty: all are. */
  readonly open: string;
  readonly hosts: ReadonlyMap<string, HostScene>;
  readonly places: Places;
  readonly scene: Scene;
}

/** A cable between hosts, or several that are drawn as one. */
interface Named {
  readonly cable: MapThing;
  readonly members?: readonly string[] | undefined;
}

/** The name of a cable between hosts, on the map. */
interface Chip extends Named {
  readonly block: Block;
}

/** Room around everything. */
const border = { x: 1, y: 1 } as const;

function assemble({
  zoom,
  hosts,
  chips,
  places,
  lineOf,
}: {
  readonly zoom: Zoom;
  readonly hosts: ReadonlyMap<string, HostScene>;
  readonly chips: readonly Chip[];
  readonly places: Places;
  readonly lineOf: (kind: string) => MapLine;
}): Scene {
  const originOf = (id: string) => {
    const { x, y } = places.get(id) ?? { x: 0, y: 0 };
    return { x: x + border.x, y: y + border.y };
  };
  const boxes = [...hosts.values()].map((host) => ({ host, at: originOf(`hosts/${host.id}`) }));
  const names = chips.map((chip) => {
    const at = originOf(chip.cable.name);
    return { ...chip, rect: { ...at, width: chip.block.width, height: chip.block.height } };
  });
  const inner = extentOf([
    ...boxes.map(({ host, at }) => ({ ...at, width: host.width, height: host.height })),
    ...names.map(({ rect }) => rect),
  ]);
  const size = { width: inner.width + border.x, height: inner.height + border.y };
  const drawn = boxes.flatMap(({ host, at }) => host.routes.map((route) => movedRoute(route, at)));
  const ends = new Map(
    boxes.flatMap(({ host, at }) => [...host.ends].map(([name, end]) => [name, movedEnd(end, at)] as const)),
  );
  const wanted = names.flatMap(({ cable, block, rect }): Wanted[] =>
    halvesOf(cable, lineOf(cable.kind)).flatMap(({ to, of, line, net }) => {
      const end = ends.get(to) ?? ends.get(to.split("/").slice(0, 2).join("/"));
      const [first] = block.things;
      const from: End = first === undefined ? { thing: cable.name, rect } : nameEnd(first, rect);
      // Lines into a host that is not open stay apart: they are of different lans.
      return end === undefined ? [] : [{ from, to: end, of, line, net: ends.has(to) ? net : "" }];
    }),
  );
  const routes = size.width * size.height > mostCells ? drawn : wired(size, { boxes, names, wanted, drawn });
  const things: SceneThing[] = [
    ...boxes.flatMap(({ host, at }) => inReadingOrder(host.things.map((thing) => movedThing(thing, at)))),
    ...names.flatMap(({ block, rect, members }) =>
      block.things.map((thing) => ({ ...movedThing(thing, rect), ...(members === undefined ? {} : { members }) })),
    ),
  ];
  const byName = new Map(things.filter(isReached).map((thing) => [thing.name, thing]));
  return { zoom, ...size, things, byName, routes };
}

function wired(
  { width, height }: { readonly width: number; readonly height: number },
  given: {
    readonly boxes: readonly { readonly host: HostScene; readonly at: { readonly x: number; readonly y: number } }[];
    readonly names: readonly { readonly block: Block; readonly rect: Rect }[];
    readonly wanted: readonly Wanted[];
    readonly drawn: readonly SceneRoute[];
  },
): readonly SceneRoute[] {
  const maze = new Maze(width, height);
  const nets = new Nets();
  for (const { host, at } of given.boxes) {
    const box = { ...at, width: host.width, height: host.height };
    const label = host.things[0]?.label ?? { x: 0, y: 0, width: 0, height: 0 };
    if (host.blocks === undefined) maze.block(box);
    // With the spaces on both sides of it.
    else maze.enclose(box, { x: at.x + label.x - 1, y: at.y, width: label.width + 2, height: 1 });
    for (const rect of host.blocks ?? []) maze.block({ ...rect, x: rect.x + at.x, y: rect.y + at.y });
  }
  for (const { block, rect } of given.names) {
    const [first] = block.things;
    if (first !== undefined) for (const part of nameRects(first.label, first.notes, rect)) maze.block(part);
  }
  for (const route of given.drawn) maze.take(route.way, nets.numberOf(route.net));
  return wire(maze, nets, given.wanted, given.drawn);
}

/** Cables between the same two hosts as one. */
function bundled(cables: readonly MapThing[], kinds: KindTable): readonly Named[] {
  const bundles = new Map<string, MapThing[]>();
  for (const cable of cables) {
    const key = hostsOf(cable).toSorted().join("+");
    bundles.set(key, [...(bundles.get(key) ?? []), cable]);
  }
  return [...bundles].map(([key, together]) => {
    const [cable] = together;
    if (cable === undefined || together.length === 1) return { cable: toHosts(cable ?? noCable) };
    const [kind] = new Set(together.map((each) => each.kind));
    const known = kinds.find(kind ?? "");
    const id = `${together.length} ${known === undefined ? "cables" : pluralOf(known)}`;
    return {
      cable: { ...toHosts(cable), name: `between/${key}`, id, word: "" },
      members: together.map(({ name }) => name),
    };
  });
}

const noCable: MapThing = { name: "", kind: "", id: "", word: "", shape: "cable", ends: [] };

/** A cable that ends at hosts as a whole. */
function toHosts(cable: MapThing): MapThing {
  return { ...cable, ends: cable.ends.map((end) => ({ ...end, into: end.into.split("/").slice(0, 2).join("/") })) };
}

/** The host first, then what is in it as it is read: line by line. */
function inReadingOrder(things: readonly SceneThing[]): readonly SceneThing[] {
  return [...things].sort((left, right) => left.label.y - right.label.y || left.label.x - right.label.x);
}

function sizeOf({ hosts }: MapGraph): number {
  let size = 0;
  for (const { lans, things, cables } of hosts.values()) size += lans.length + things.length + cables.length;
  return size;
}

/** The host that a map is opened at first. */
export function firstHost({ hosts }: MapGraph): MapHost | undefined {
  return hosts.values().next().value;
}

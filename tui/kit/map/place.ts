import { Graph, layout } from "@dagrejs/dagre";
import { byId } from "./graph.js";
import { extentOf, type Point, type Rect, touches } from "./rect.js";

/** Something that needs room. */
export interface Item {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** Two items that belong beside each other. */
export interface Tie {
  readonly from: string;
  readonly to: string;
}

/** Where items are, by id. */
export type Places = ReadonlyMap<string, Point>;

/** Cells that stay free between items, for cables. */
export interface Gaps {
  readonly x: number;
  readonly y: number;
}

/** Cells of a map that is as wide as it is high to the eye, on a terminal. */
const aspect = 3.2;
/** More items in one piece are not ordered by their ties: that takes seconds. */
const mostOrdered = 400;
/** How far from its neighbours a new item looks for room. */
const farthest = 400;

/**
 * Where items go: each group that is tied together by dagre, the groups beside each other. What was placed before stays where it was
 * as long as most of the items were; what is new goes where there is room next to what it is tied to. The same items, ties and
 * former places give the same places.
 */
export function place(items: readonly Item[], ties: readonly Tie[], gaps: Gaps, before: Places = new Map()): Places {
  const kept = items.filter(({ id }) => before.has(id));
  if (kept.length === 0 || kept.length * 2 < items.length) return placeAll(items, ties, gaps);
  return placeBeside(items, ties, gaps, before);
}

function placeAll(items: readonly Item[], ties: readonly Tie[], gaps: Gaps): Places {
  const groups = groupsOf(items, ties).map((group) => {
    const ids = new Set(group.map(({ id }) => id));
    const own = ties.filter(({ from, to }) => ids.has(from) && ids.has(to));
    return group.length === 1 || group.length > mostOrdered ? inRows(group, gaps) : ordered(group, own, gaps);
  });
  // Big ones first; those of one size as their names are ordered.
  const sized = groups.map((rects, index) => ({ rects, index, ...extentOf(rects.values()) }));
  sized.sort((left, right) => right.height - left.height || left.index - right.index);
  const blocks = sized.map(({ width, height, index }) => ({ id: `${index}`, width, height }));
  const origins = inRows(blocks, gaps);
  const places = new Map<string, Point>();
  for (const { rects, index } of sized) {
    const origin = origins.get(`${index}`) ?? { x: 0, y: 0 };
    for (const [id, { x, y }] of rects) places.set(id, { x: origin.x + x, y: origin.y + y });
  }
  return places;
}

/** Items in rows, from left to right, as wide together as looks good. */
function inRows(items: readonly Item[], gaps: Gaps): Map<string, Rect> {
  const area = items.reduce((sum, { width, height }) => sum + (width + gaps.x) * (height + gaps.y), 0);
  const widest = items.reduce((most, { width }) => Math.max(most, width), 0);
  const room = Math.max(widest, Math.ceil(Math.sqrt(area * aspect)));
  const rects = new Map<string, Rect>();
  let [x, y, tall] = [0, 0, 0];
  for (const { id, width, height } of items) {
    if (x > 0 && x + width > room) [x, y, tall] = [0, y + tall + gaps.y, 0];
    rects.set(id, { x, y, width, height });
    x += width + gaps.x;
    tall = Math.max(tall, height);
  }
  return rects;
}

/** A group by dagre, from left to right, from the top down, or in several rows, whichever looks biggest on a screen. */
function ordered(items: readonly Item[], ties: readonly Tie[], gaps: Gaps): ReadonlyMap<string, Rect> {
  const across = byDagre(items, ties, { rankdir: "LR", nodesep: gaps.y + 1, edgesep: 1, ranksep: gaps.x });
  const down = byDagre(items, ties, { rankdir: "TB", nodesep: gaps.x + 1, edgesep: 2, ranksep: gaps.y });
  const choices = [across, down, folded(across, gaps)].map(settled);
  const [best = new Map<string, Rect>()] = choices.sort((left, right) => sizeOf(left) - sizeOf(right));
  return best;
}

/** How small everything has to be drawn to fit on a screen. */
function sizeOf(rects: ReadonlyMap<string, Rect>): number {
  const { width, height } = extentOf(rects.values());
  return Math.max(width, height * aspect);
}

/** A rectangle that dagre has placed, not yet on whole cells, and where the middle of its column is. */
interface Placed extends Rect {
  readonly id: string;
  readonly middle: number;
}

function byDagre(
  items: readonly Item[],
  ties: readonly Tie[],
  how: Record<string, string | number>,
): readonly Placed[] {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ ...how, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of items) graph.setNode(id, { width, height });
  for (const [index, { from, to }] of ties.entries()) if (from !== to) graph.setEdge(from, to, {}, `${index}`);
  layout(graph);
  return items.map(({ id, width, height }) => {
    const { x: middle = 0, y = 0 } = graph.node(id);
    return { id, x: middle - width / 2, y: y - height / 2, width, height, middle };
  });
}

/** Columns in several rows, every other one from right to left: what follows each other stays beside each other. */
function folded(placed: readonly Placed[], gaps: Gaps): readonly Placed[] {
  const columns = new Map<number, Placed[]>();
  for (const rect of [...placed].sort((left, right) => left.middle - right.middle)) {
    const key = Math.round(rect.middle);
    columns.set(key, [...(columns.get(key) ?? []), rect]);
  }
  const area = placed.reduce((sum, { width, height }) => sum + (width + gaps.x) * (height + gaps.y + 1), 0);
  const room = Math.sqrt(area * aspect) * 1.1;
  const rows: Placed[][][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const column of columns.values()) {
    const width = widthOf(column) + gaps.x;
    if (used + width > room) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1)?.push(column);
    used += width;
  }
  const widest = Math.max(...rows.map((row) => row.reduce((sum, column) => sum + widthOf(column) + gaps.x, -gaps.x)));
  let top = 0;
  return rows.flatMap((row, index) => {
    const all = row.flat();
    const first = Math.min(...all.map(({ y }) => y));
    const last = Math.max(...all.map(({ y, height }) => y + height));
    let at = 0;
    const set = row.flatMap((column) => {
      const width = widthOf(column);
      const left = index % 2 === 0 ? at : widest - at - width;
      at += width + gaps.x;
      return column.map((rect) => ({ ...rect, x: left + (width - rect.width) / 2, y: top + rect.y - first }));
    });
    top += last - first + gaps.y + 1;
    return set;
  });
}

function widthOf(column: readonly Placed[]): number {
  return Math.max(...column.map(({ width }) => width));
}

/** On whole cells: what rounding has brought together goes down. */
function settled(placed: readonly Placed[]): ReadonlyMap<string, Rect> {
  const rects = placed.map(({ id, x, y, width, height }) => {
    return { id, x: Math.max(0, Math.round(x)), y: Math.max(0, Math.round(y)), width, height };
  });
  rects.sort((left, right) => left.y - right.y || left.x - right.x || byId(left.id, right.id));
  const set = new Map<string, Rect>();
  for (const { id, ...rect } of rects) set.set(id, pushedDown(rect, [...set.values()], { x: 1, y: 1 }));
  return set;
}

/** What was there stays, and goes down only where it has grown into something else; then comes what is new. */
function placeBeside(items: readonly Item[], ties: readonly Tie[], gaps: Gaps, before: Places): Places {
  const set = new Map<string, Rect>();
  const there = items.flatMap((item) => {
    const at = before.get(item.id);
    return at === undefined ? [] : [{ ...item, x: at.x, y: at.y }];
  });
  there.sort((left, right) => left.y - right.y || left.x - right.x);
  const least = { x: Math.min(1, gaps.x), y: Math.min(1, gaps.y) };
  for (const rect of there) set.set(rect.id, pushedDown(rect, [...set.values()], least));
  for (const item of items) {
    if (set.has(item.id)) continue;
    const near = ties.flatMap(({ from, to }) => {
      const other = from === item.id ? set.get(to) : to === item.id ? set.get(from) : undefined;
      return other === undefined ? [] : [other];
    });
    set.set(item.id, freePlace(item, [...set.values()], { near, gaps }));
  }
  return set;
}

function pushedDown(rect: Rect, others: readonly Rect[], gaps: Gaps): Rect {
  let y = rect.y;
  for (;;) {
    const hit = others.find((other) => touches({ ...rect, y }, other, gaps.x, gaps.y));
    if (hit === undefined) return { ...rect, y };
    y = hit.y + hit.height + gaps.y;
  }
}

/** The free place that is nearest to what an item is tied to. */
function freePlace(
  { width, height }: Item,
  others: readonly Rect[],
  { near, gaps }: { readonly near: readonly Rect[]; readonly gaps: Gaps },
): Rect {
  const extent = extentOf(others);
  const [first] = near;
  const x =
    first === undefined ? 0 : Math.max(0, Math.round(centre(near, (rect) => rect.x + rect.width / 2) - width / 2));
  const y =
    first === undefined ? 0 : Math.max(0, Math.round(centre(near, (rect) => rect.y + rect.height / 2) - height / 2));
  const fits = (rect: Rect): boolean =>
    rect.x >= 0 && rect.y >= 0 && !others.some((other) => touches(rect, other, gaps.x, gaps.y));
  for (let distance = 0; distance < farthest; distance += 1) {
    for (let down = -distance; down <= distance; down += 1) {
      const across = Math.round((distance - Math.abs(down)) * aspect);
      for (const side of across === 0 ? [0] : [across, -across]) {
        const rect = { x: x + side, y: y + down, width, height };
        if (fits(rect)) return rect;
      }
    }
  }
  return { x: 0, y: extent.height + gaps.y, width, height };
}

function centre(rects: readonly Rect[], of: (rect: Rect) => number): number {
  return rects.reduce((sum, rect) => sum + of(rect), 0) / rects.length;
}

/** Items that are tied together, in the order of their first. */
function groupsOf(items: readonly Item[], ties: readonly Tie[]): readonly (readonly Item[])[] {
  const parent = new Map(items.map(({ id }) => [id, id]));
  const root = (id: string): string => {
    let at = id;
    for (let up = parent.get(at); up !== undefined && up !== at; up = parent.get(at)) {
      parent.set(at, parent.get(up) ?? up);
      at = up;
    }
    return at;
  };
  for (const { from, to } of ties) {
    if (parent.has(from) && parent.has(to)) parent.set(root(from), root(to));
  }
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = root(item.id);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()];
}

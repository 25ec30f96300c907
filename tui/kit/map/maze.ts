import { Heap } from "./heap.js";
import type { Point, Rect } from "./rect.js";

/** Where a cable can end: a free cell beside something, and the way from there into it. */
export interface Dock extends Point {
  /** 0 up, 1 right, 2 down, 3 left. */
  readonly way: number;
}

/** A way that a cable can take. */
export interface Way {
  /** Every cell from the dock that it begins at to the one that it ends at, or to the cell where it meets its own net. */
  readonly points: readonly Point[];
  readonly from: Dock;
  /** Undefined: it ends where it meets its net. */
  readonly to: Dock | undefined;
}

/** What a search looks for. */
export interface Search {
  readonly from: readonly Dock[];
  readonly to: readonly Dock[];
  /** Ways of one net may meet; 0: of none. */
  readonly net: number;
}

const steps: readonly (readonly [number, number])[] = [
  [0, -1],
  [1, 0],
  [0, 1],
  [-1, 0],
];
// Rows are twice as high as columns are wide.
const costs = { across: 1, down: 2, bend: 3, crossing: 5, wall: 1, beside: 40 };
const [free, taken, wall] = [0, 1, 2];
/** A way that is not found by then is not drawn: whoever looks at the screen waits for it. */
const mostSteps = 60_000;

/** The cells of a map with what stands in the way, and the search for ways through them. */
export class Maze {
  readonly width: number;
  readonly height: number;
  readonly #cells: Uint8Array;
  /** Nets that pass a cell across and down. */
  readonly #across: Int32Array;
  readonly #down: Int32Array;
  readonly #best: Int32Array;
  readonly #round: Int32Array;
  readonly #from: Int32Array;
  #rounds = 0;

  constructor(width: number, height: number) {
    const cells = width * height;
    [this.width, this.height] = [width, height];
    this.#cells = new Uint8Array(cells);
    this.#across = new Int32Array(cells);
    this.#down = new Int32Array(cells);
    this.#best = new Int32Array(cells * 4);
    this.#round = new Int32Array(cells * 4);
    this.#from = new Int32Array(cells * 4);
  }

  /** Nothing passes here. */
  block(rect: Rect): void {
    this.#fill(rect, taken);
  }

  /** The border of a box that cables pass straight through, but at its corners and at what is written in it. */
  enclose(rect: Rect, written: Rect): void {
    const [right, bottom] = [rect.x + rect.width - 1, rect.y + rect.height - 1];
    this.#fill({ ...rect, height: 1 }, wall);
    this.#fill({ ...rect, y: bottom, height: 1 }, wall);
    this.#fill({ ...rect, width: 1 }, wall);
    this.#fill({ ...rect, x: right, width: 1 }, wall);
    for (const x of [rect.x, right]) for (const y of [rect.y, bottom]) this.#fill({ x, y, width: 1, height: 1 }, taken);
    this.#fill(written, taken);
  }

  /** A way that is taken by a net. */
  take({ points, from, to }: Way, net: number): void {
    for (const [index, { x, y }] of points.entries()) {
      const cell = y * this.width + x;
      const [before, after] = [points[index - 1], points[index + 1]];
      const isAcross = (other: Point | undefined, dock: Dock | undefined): boolean =>
        other === undefined ? dock !== undefined && dock.way % 2 === 1 : other.y === y;
      const isDown = (other: Point | undefined, dock: Dock | undefined): boolean =>
        other === undefined ? dock !== undefined && dock.way % 2 === 0 : other.x === x;
      if (isAcross(before, from) || isAcross(after, to)) this.#across[cell] = net;
      if (isDown(before, from) || isDown(after, to)) this.#down[cell] = net;
    }
  }

  /** The cheapest way: short, with few bends, crossing little, beside nothing. Undefined: there is none. */
  find({ from, to, net }: Search): Way | undefined {
    if (from.length === 0 || to.length === 0) return undefined;
    const goals = new Map(to.filter((dock) => this.#isFree(dock)).map((dock) => [this.#at(dock), dock]));
    const bounds = boundsOf(to);
    this.#rounds += 1;
    const heap = new Heap();
    const starts = new Map<number, Dock>();
    for (const dock of from) {
      if (!this.#isFree(dock)) continue;
      const state = this.#at(dock) * 4 + ((dock.way + 2) % 4);
      starts.set(state, dock);
      this.#reach(state, this.#costOf(this.#at(dock), dock.way % 2 === 1, net), -1);
      heap.push(this.#guess(dock, bounds), state);
    }
    for (let turn = 0; turn < mostSteps; turn += 1) {
      const state = heap.pop();
      if (state === undefined) return undefined;
      const [cell, way] = [state >> 2, state & 3];
      const goal = goals.get(cell);
      const meets = net !== 0 && !starts.has(state) && (this.#across[cell] === net || this.#down[cell] === net);
      if (meets || (goal !== undefined && (way === goal.way || this.#isEmpty(cell, net)))) {
        return this.#wayTo(state, { starts, goal: meets ? undefined : goal });
      }
      for (let next = 0; next < 4; next += 1) {
        if (next !== (way + 2) % 4) this.#step(state, next, { net, bounds, heap });
      }
    }
    return undefined;
  }

  #step(
    state: number,
    next: number,
    { net, bounds, heap }: { readonly net: number; readonly bounds: Rect; readonly heap: Heap },
  ): void {
    const [cell, way] = [state >> 2, state & 3];
    const isBend = next !== way;
    // Where two cables cross, none of them bends: it could not be told which is which.
    if (isBend && (!this.#isEmpty(cell, net) || this.#cells[cell] === wall)) return;
    const [stepX = 0, stepY = 0] = steps[next] ?? [];
    const [x, y] = [(cell % this.width) + stepX, Math.floor(cell / this.width) + stepY];
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const to = y * this.width + x;
    if (this.#cells[to] === taken || (this.#cells[to] === wall && this.#cells[cell] === wall)) return;
    const cost = (this.#best[state] ?? 0) + (isBend ? costs.bend : 0) + this.#costOf(to, stepX !== 0, net);
    const reached = to * 4 + next;
    if (this.#round[reached] === this.#rounds && (this.#best[reached] ?? 0) <= cost) return;
    this.#reach(reached, cost, state);
    heap.push(cost + this.#guess({ x, y }, bounds), reached);
  }

  #costOf(cell: number, isAcross: boolean, net: number): number {
    const [along, over] = isAcross
      ? [this.#across[cell] ?? 0, this.#down[cell] ?? 0]
      : [this.#down[cell] ?? 0, this.#across[cell] ?? 0];
    let cost = isAcross ? costs.across : costs.down;
    if (along !== 0 && along !== net) cost += costs.beside;
    if (over !== 0 && over !== net) cost += costs.crossing;
    return this.#cells[cell] === wall ? cost + costs.wall : cost;
  }

  #reach(state: number, cost: number, from: number): void {
    this.#best[state] = cost;
    this.#round[state] = this.#rounds;
    this.#from[state] = from;
  }

  /** What is left to go at least. */
  #guess({ x, y }: Point, bounds: Rect): number {
    const across = Math.max(0, bounds.x - x, x - (bounds.x + bounds.width - 1));
    const down = Math.max(0, bounds.y - y, y - (bounds.y + bounds.height - 1));
    return across * costs.across + down * costs.down;
  }

  #wayTo(
    last: number,
    { starts, goal }: { readonly starts: ReadonlyMap<number, Dock>; readonly goal: Dock | undefined },
  ): Way | undefined {
    const points: Point[] = [];
    let first = last;
    for (let state = last; state >= 0; state = this.#from[state] ?? -1) {
      const cell = state >> 2;
      points.push({ x: cell % this.width, y: Math.floor(cell / this.width) });
      first = state;
    }
    const from = starts.get(first);
    return from === undefined ? undefined : { points: points.reverse(), from, to: goal };
  }

  /** Whether no other net passes. */
  #isEmpty(cell: number, net: number): boolean {
    const [across = 0, down = 0] = [this.#across[cell], this.#down[cell]];
    return (across === 0 || across === net) && (down === 0 || down === net);
  }

  #isFree({ x, y }: Point): boolean {
    return x >= 0 && y >= 0 && x < this.width && y < this.height && this.#cells[this.#at({ x, y })] === free;
  }

  #at({ x, y }: Point): number {
    return y * this.width + x;
  }

  #fill(rect: Rect, value: number): void {
    for (let y = Math.max(0, rect.y); y < Math.min(this.height, rect.y + rect.height); y += 1) {
      const from = y * this.width + Math.max(0, rect.x);
      this.#cells.fill(value, from, y * this.width + Math.min(this.width, rect.x + rect.width));
    }
  }
}

function boundsOf(docks: readonly Dock[]): Rect {
  const [xs, ys] = [docks.map(({ x }) => x), docks.map(({ y }) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1 };
}

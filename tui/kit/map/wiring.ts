import { docksOf, docksOfName } from "./block.js";
import { byId } from "./graph.js";
import type { Dock, Maze } from "./maze.js";
import type { Rect } from "./rect.js";
import type { MapLine } from "./role.js";
import type { SceneRoute } from "./scene.js";

/** Where a cable is to end. */
export interface End {
  /** Name of the thing. */
  readonly thing: string;
  readonly rect: Rect;
  /** Line of its box, when the end has one of its own. */
  readonly line?: number | undefined;
  /** Column of its box from which on cables may come from above: beside what is written there. */
  readonly top?: number;
  /** Without a border: the name of a cable. */
  readonly isName?: boolean;
}

/** A cable, or half of one, that is to be drawn. */
export interface Wanted {
  readonly from: End;
  readonly to: End;
  readonly of: string;
  readonly line: MapLine;
  /** Lines of one net may become one: they all lead to the same lan. Empty: this one stays alone. */
  readonly net: string;
}

/** Numbers for nets. */
export class Nets {
  readonly #numbers = new Map<string, number>();
  #last = 0;

  /** The number of a net; of lines that stay alone one of their own. */
  numberOf(net: string): number {
    const known = net === "" ? undefined : this.#numbers.get(net);
    if (known !== undefined) return known;
    this.#last += 1;
    if (net !== "") this.#numbers.set(net, this.#last);
    return this.#last;
  }
}

/** Draws cables into a maze, the short ones first; one that finds no way is left out. `drawn` are those that are there already. */
export function wire(maze: Maze, nets: Nets, wanted: readonly Wanted[], drawn: readonly SceneRoute[]): SceneRoute[] {
  const routes = [...drawn];
  for (const cable of [...wanted].sort(byLength)) {
    const net = nets.numberOf(cable.net);
    const found = maze.find({ from: docks(cable.from), to: docks(cable.to), net });
    if (found === undefined) continue;
    maze.take(found, net);
    if (found.to === undefined) share(routes, cable.net, found.points.at(-1) ?? found.from);
    routes.push({
      from: cable.from.thing,
      to: cable.to.thing,
      of: cable.of,
      line: cable.line,
      net: cable.net,
      way: found,
      sharedFrom: found.points.length,
      framed: { from: cable.from.isName !== true, to: cable.to.isName !== true && found.to !== undefined },
    });
  }
  return routes;
}

function docks({ rect, line, top, isName }: End): readonly Dock[] {
  return isName === true ? docksOfName(rect) : docksOf(rect, line, top);
}

/** From the point where another line of the net has come in, a line is no longer that of one cable. */
function share(routes: SceneRoute[], net: string, point: { readonly x: number; readonly y: number }): void {
  let at: { readonly x: number; readonly y: number } | undefined = point;
  for (let turn = 0; at !== undefined && turn < routes.length; turn += 1) {
    const { x, y }: { readonly x: number; readonly y: number } = at;
    const met = routes.findIndex((route) => route.net === net && route.way.points.some((p) => p.x === x && p.y === y));
    const route = routes[met];
    if (route === undefined) return;
    const from = route.way.points.findIndex((p) => p.x === x && p.y === y);
    const isNew = from < route.sharedFrom;
    if (isNew) routes[met] = { ...route, sharedFrom: from };
    at = isNew && route.way.to === undefined ? route.way.points.at(-1) : undefined;
  }
}

function byLength(left: Wanted, right: Wanted): number {
  return (
    lengthOf(left) - lengthOf(right) || byId(left.from.thing, right.from.thing) || byId(left.to.thing, right.to.thing)
  );
}

function lengthOf({ from, to }: Wanted): number {
  const across = Math.abs(from.rect.x + from.rect.width / 2 - to.rect.x - to.rect.width / 2);
  return Math.round(across + 2 * Math.abs(from.rect.y + from.rect.height / 2 - to.rect.y - to.rect.height / 2));
}

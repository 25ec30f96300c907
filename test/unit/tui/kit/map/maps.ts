import type { KnownResource } from "../../../../../lib/kinds/resource.js";
import { draw } from "../../../../../tui/kit/map/draw.js";
import { GraphReader } from "../../../../../tui/kit/map/graph.js";
import { Looks } from "../../../../../tui/kit/map/looks.js";
import type { Rect } from "../../../../../tui/kit/map/rect.js";
import { isReached, type Scene, type Zoom } from "../../../../../tui/kit/map/scene.js";
import { SceneMaker } from "../../../../../tui/kit/map/scene-maker.js";
import type { Model } from "../../../../../tui/kit/model.js";
import { makeModel } from "../../program.js";
import { upsert } from "../../steps.js";

/** A model that knows these resources, and what lays its map out. */
export interface TestMap {
  readonly model: Model;
  add(...resources: readonly KnownResource[]): void;
  scene(zoom: Zoom, host?: string): Scene;
}

export function mapOf(resources: readonly KnownResource[]): TestMap {
  const model = makeModel(1_700_000_000_000);
  const add = (...more: readonly KnownResource[]) => {
    for (const resource of more) model.fleet.apply(upsert(resource), model.nowMs);
  };
  add(...resources);
  const reader = new GraphReader(model.fleet);
  const maker = new SceneMaker(model.kinds);
  return {
    model,
    add,
    scene: (zoom, host) => {
      if (host === undefined) return maker.make(reader.read(), zoom, "alpha");
      return new SceneMaker(model.kinds).make(new GraphReader(model.fleet, host).read(), zoom, host);
    },
  };
}

/** A scene as text, or a part of it. */
export function textOf(model: Model, scene: Scene, view: Rect = { x: 0, y: 0, ...scene }): string {
  const lines = draw({ scene, looks: new Looks(model.fleet), view }).lines();
  return lines
    .map((line) =>
      line
        .map(({ text }) => text)
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

/** Every rectangle that something is written into, with what it is. */
function written(scene: Scene): readonly { readonly what: string; readonly rect: Rect }[] {
  return scene.things.flatMap(({ name, label, notes, ...thing }) => [
    { what: `${isReached({ name, label, notes, ...thing }) ? "name" : "title"} of ${name}`, rect: label },
    ...notes.map(({ rect, end, index }) => ({ what: `note ${end}${index} of ${name}`, rect })),
  ]);
}

/** What shares a cell with something else that is written, or lies beside the scene. */
export function overlaps(scene: Scene): readonly string[] {
  const cells = new Map<number, string>();
  const found: string[] = [];
  for (const { what, rect } of written(scene)) {
    for (let y = rect.y; y < rect.y + rect.height; y += 1) {
      for (let x = rect.x; x < rect.x + rect.width; x += 1) {
        const there = cells.get(y * scene.width + x);
        if (there !== undefined) found.push(`${what} and ${there} at ${x},${y}`);
        if (x < 0 || y < 0 || x >= scene.width || y >= scene.height)
          found.push(`${what} at ${x},${y} is beside the map`);
        cells.set(y * scene.width + x, what);
      }
    }
  }
  // A cable over a name would make it unreadable.
  for (const { of, from, way } of scene.routes) {
    for (const { x, y } of way.points) {
      const there = cells.get(y * scene.width + x);
      if (there !== undefined) found.push(`the way of ${of || from} and ${there} at ${x},${y}`);
    }
  }
  return found;
}

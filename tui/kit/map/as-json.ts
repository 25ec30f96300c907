import type { Looks } from "./looks.js";
import type { Point, Rect } from "./rect.js";
import type { Scene } from "./scene.js";

/** A scene for programs: what is where, how it is, and the ways of cables, in cells. */
export interface SceneJson {
  readonly zoom: string;
  readonly width: number;
  readonly height: number;
  readonly things: readonly ThingJson[];
  readonly cables: readonly CableJson[];
}

interface ThingJson {
  readonly name: string;
  readonly kind: string;
  readonly host: string;
  readonly state: string;
  /** Where its name stands. */
  readonly label: Rect;
  /** Its border; only where it has one. */
  readonly box?: Rect;
  /** What it stands for; only where that is several. */
  readonly members?: readonly string[];
}

interface CableJson {
  readonly from: string;
  readonly to: string;
  /** Name of the cable of which this is a half; empty: the plug of an interface. */
  readonly cable: string;
  readonly condition: string;
  readonly points: readonly Point[];
}

/** The scene as JSON. */
export function sceneJson(scene: Scene, looks: Looks): SceneJson {
  return {
    zoom: scene.zoom,
    width: scene.width,
    height: scene.height,
    things: [...scene.byName.values()].map((thing) => ({
      name: thing.name,
      kind: thing.kind,
      host: thing.host,
      state: looks.styleOf(thing).word,
      label: thing.label,
      ...(thing.box === undefined ? {} : { box: thing.box }),
      ...(thing.members === undefined ? {} : { members: thing.members }),
    })),
    cables: scene.routes.map(({ from, to, of, way }) => ({
      from,
      to,
      cable: of,
      condition: of === "" ? "whole" : looks.conditionOf(of),
      points: cornersOf(way.points),
    })),
  };
}

/** The points of a way between which it is straight. */
export function cornersOf(points: readonly Point[]): readonly Point[] {
  return points.filter((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (before === undefined || after === undefined) return true;
    return (before.x === after.x) !== (point.x === before.x) || (before.y === after.y) !== (point.y === before.y);
  });
}

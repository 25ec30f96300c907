import type { MapLine } from "./role.js";
import type { Way } from "./maze.js";
import type { Rect } from "./rect.js";

/** How much of the fleet is open: hosts alone, what is in them, every plug. */
export const zooms = ["fleet", "host", "lan"] as const;
export type Zoom = (typeof zooms)[number];

/** A border around something: of what there is none, only the name is written. */
export type Frame = "host" | "lan" | "thing" | "group";

/** Room for a text about a thing. */
export interface SceneNote {
  readonly rect: Rect;
  /** The end it is about; empty: the thing itself. */
  readonly end: string;
  /** Which of several texts. */
  readonly index: number;
  /** There is only room for the word of the end. */
  readonly isBrief?: boolean;
}

/** Something that is drawn, and that the cursor can be on unless it is a group. */
export interface SceneThing {
  /** Resource name; of cables that are drawn as one, a name that no resource has. */
  readonly name: string;
  /** Singular of its kind; empty: it is no resource. */
  readonly kind: string;
  /** Name and word as they are written. */
  readonly text: string;
  /** Id of the host that it is in; empty: it is between hosts. */
  readonly host: string;
  /** One line, where its state and name stand. */
  readonly label: Rect;
  readonly box?: Rect;
  readonly frame?: Frame;
  readonly notes: readonly SceneNote[];
  /** Names of the resources that it stands for, when it is no resource itself. */
  readonly members?: readonly string[];
}

/** A cable, or half of one, on its way. */
export interface SceneRoute {
  /** Names of what it leads from and to. */
  readonly from: string;
  readonly to: string;
  /** Name of the cable whose state its line shows; empty: it is a plug. */
  readonly of: string;
  readonly line: MapLine;
  readonly net: string;
  readonly way: Way;
  /** From this point of the way on it is one line with others of its net. */
  readonly sharedFrom: number;
  /** There are borders where it begins and ends. */
  readonly framed: { readonly from: boolean; readonly to: boolean };
}

/** The map at one zoom: where everything is, without what it looks like now. */
export interface Scene {
  readonly zoom: Zoom;
  readonly width: number;
  readonly height: number;
  /** In the order in which Tab goes through them. */
  readonly things: readonly SceneThing[];
  readonly byName: ReadonlyMap<string, SceneThing>;
  readonly routes: readonly SceneRoute[];
}

/** Whether the cursor can be on it. */
export function isReached({ frame }: SceneThing): boolean {
  return frame !== "group";
}

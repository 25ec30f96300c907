import type { TapOffload } from "../frames/tap.js";
import type { WayOrder } from "../impair/way.js";

/** One side of a box as it is handed to a worker, which then owns the descriptor. */
export interface BoxTap {
  readonly name: string;
  readonly fd: number;
  /** Figures of the direction that begins here. */
  readonly counters: Float64Array<SharedArrayBuffer>;
}

/** What a box does. */
export interface BoxSettings {
  /** Of the frames that come in at a, and at b. */
  readonly directions: readonly [Pick<WayOrder, "standing" | "steps">, Pick<WayOrder, "standing" | "steps">];
  readonly seed: WayOrder["seed"];
  readonly setMs: WayOrder["setMs"];
}

/** Orders to a worker. `box` is the number of the box in the engine. */
export type BoxOrder =
  | {
      readonly type: "add";
      readonly box: number;
      readonly taps: readonly [BoxTap, BoxTap];
      /** The most the kernel can do. */
      readonly offload: TapOffload;
    }
  /** It is answered. */
  | { readonly type: "set"; readonly box: number; readonly settings: BoxSettings }
  | { readonly type: "remove"; readonly box: number }
  | { readonly type: "stop" };

/** What a worker reports. */
export type BoxReport =
  /** A tap was deleted, by others or with its namespace. */
  | { readonly type: "tapLost"; readonly box: number }
  /** An order that is answered was obeyed, and all before it. */
  | { readonly type: "obeyed"; readonly box: number }
  /** The worker has forgotten the box after "remove"; its taps can be closed. */
  | { readonly type: "released"; readonly box: number };

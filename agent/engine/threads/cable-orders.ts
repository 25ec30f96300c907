import type { WayOrder } from "../impair/way.js";
import type { TapOffload } from "../frames/tap.js";
import type { TrafficState } from "../frames/tls-record.js";

/** A connection whose handshake is done, as it is handed to a worker, which then owns the descriptor. */
export interface EstablishedConnection {
  /** Socket, owned by whoever holds this object. */
  readonly fd: number;
  /** Bytes already read from the socket. */
  readonly leftover: Uint8Array;
  /** Undefined: not encrypted. */
  readonly tls: { readonly send: TrafficState; readonly receive: TrafficState } | undefined;
  /** What both ends can do. "none": plain frames without virtio-net header. */
  readonly offload: TapOffload;
}

/** Orders to a worker. `cable` is the number of the cable in the engine. */
export type CableOrder =
  | {
      readonly type: "add";
      readonly cable: number;
      readonly tapFd: number;
      readonly tapName: string;
      readonly stats: Float64Array<SharedArrayBuffer>;
      /** Figures of the impairment, see impair/counters.ts. */
      readonly counters: Float64Array<SharedArrayBuffer>;
    }
  /** Impairs what the cable sends; undefined: no more. It is answered. */
  | { readonly type: "impair"; readonly cable: number; readonly order: WayOrder | undefined }
  | {
      readonly type: "attach";
      readonly cable: number;
      readonly connection: number;
      readonly established: EstablishedConnection;
    }
  | { readonly type: "detach"; readonly cable: number; readonly goodbye: string }
  | { readonly type: "notice"; readonly cable: number; readonly text: string }
  | { readonly type: "probe"; readonly cable: number; readonly count: number }
  | { readonly type: "remove"; readonly cable: number; readonly goodbye: string }
  | { readonly type: "stop" };

/** What a worker reports. `connection` tells which of the cable's connections it is about. */
export type CableReport =
  | { readonly type: "proven"; readonly cable: number; readonly connection: number }
  | { readonly type: "closed"; readonly cable: number; readonly connection: number; readonly cause: CloseCause }
  | { readonly type: "notice"; readonly cable: number; readonly connection: number; readonly text: string }
  /** The peer has not answered for a while, or does again. Only of the connection that frames are sent on. */
  | { readonly type: "quiet"; readonly cable: number; readonly connection: number; readonly quiet: Quiet }
  /** The tap was deleted, by others or with its namespace. */
  | { readonly type: "tapLost"; readonly cable: number }
  /** An order that is answered was obeyed, and all before it. */
  | { readonly type: "obeyed"; readonly cable: number }
  /** The worker has forgotten the cable after "remove"; its tap can be closed. */
  | { readonly type: "released"; readonly cable: number };

/** How long a peer has not answered: not worth a word; so long that another way is worth a try; so long that it is a fault. */
export type Quiet = "no" | "suspect" | "silent";

/** Why a connection ended. */
export interface CloseCause {
  readonly kind: "peer" | "silent" | "reset" | "protocol" | "local";
  /** For people; text of the peer is not escaped. */
  readonly text: string;
}

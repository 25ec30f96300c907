/** What a thread that captures is started with. */
export interface CaptureThreadOptions {
  /** Counter that is raised after orders were posted. */
  readonly wakeFd: number;
  /** Program of classic BPF, packed. */
  readonly program: Uint8Array;
  readonly snapBytes: number;
  /** After so many frames, or bytes of blocks, it stops; Infinity: it does not. */
  readonly maxPackets: number;
  readonly maxBytes: number;
  /** Added to the kernel's times. */
  readonly clockShiftNs: bigint;
  /** Bytes of blocks that were taken from it, in word 0: it reads no further while too many are not. */
  readonly taken: SharedArrayBuffer;
}

/** Orders to a thread that captures. */
export type CaptureOrder =
  | { readonly type: "open"; readonly number: number; readonly source: CaptureSource }
  /** Frames that are there are still told. */
  | { readonly type: "close"; readonly number: number }
  | { readonly type: "end" };

/** A device that frames are captured at. */
export interface CaptureSource {
  readonly device: string;
  readonly ifindex: number;
  /** Named net namespace; undefined: the agent's own. */
  readonly netns: string | undefined;
  readonly incomingOnly: boolean;
  /** What comes in at the device is what the endpoint sends. */
  readonly isOpposite: boolean;
  readonly ringBytes: number;
}

/** Figures of an interface. */
export interface InterfaceCounts {
  readonly number: number;
  readonly received: number;
  readonly dropped: number;
}

/** What a thread that captures says. */
export type CaptureReport =
  | { readonly type: "packets"; readonly count: number; readonly blocks: Uint8Array; readonly completeNs: bigint }
  | { readonly type: "figures"; readonly interfaces: readonly InterfaceCounts[] }
  /** From here on all that passes is captured. */
  | { readonly type: "opened"; readonly number: number }
  | { readonly type: "fault"; readonly number: number; readonly message: string }
  /** Nothing follows. @param isFull a limit was reached. */
  | { readonly type: "ended"; readonly isFull: boolean };

/** Word of {@link CaptureThreadOptions.taken}, counted modulo 2^32. */
export const takenWord = 0;
/** So many bytes may be under way to the agent's main thread. */
export const maxUnderWayBytes = 8 * 1024 * 1024;

import type { WatchPosition } from "../../proto/gen/zor/v1/watch_service.js";

/**
 * Messages as they go over the wire, the bytes before each included, instead of one message: what a handler of a server stream gives, or
 * answers, in their place is sent as it is, and at once.
 */
export class Frames {
  readonly bytes: Buffer;
  /** Where a reader of a watch resumes that has read them. */
  readonly position: WatchPosition | undefined;
  /** Called when the connection has taken the bytes: they may be written over. */
  readonly onSent: (() => void) | undefined;

  constructor(
    bytes: Buffer,
    more: { readonly position?: WatchPosition | undefined; readonly onSent?: () => void } = {},
  ) {
    this.bytes = bytes;
    this.position = more.position;
    this.onSent = more.onSent;
  }
}

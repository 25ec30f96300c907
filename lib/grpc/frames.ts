import type { WatchPosition } from "../../proto/gen/zor/v1/watch_service.js";

/**
 * Messages of a server stream as they go over the wire, the bytes before each included, instead of one message: what a handler gives in
 * their place is sent as it is, and at once.
 */
export class Frames {
  readonly bytes: Buffer;
  /** Where a reader resumes that has read them. */
  readonly position: WatchPosition | undefined;

  constructor(bytes: Buffer, position: WatchPosition | undefined) {
    this.bytes = bytes;
    this.position = position;
  }
}

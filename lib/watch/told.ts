import { pack, typeUrlOf } from "../kinds/resource.js";
import { type WatchPosition, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import { framed } from "../grpc/message-splitter.js";
import { Kept } from "./kept.js";

type Step = NonNullable<WatchResponse["step"]>;

/** A step of a watch: what a reader is told. */
export class Told {
  readonly position: WatchPosition;
  readonly #what: Kept | Step;
  #frame: Buffer | undefined;

  /** @param what a resource that was made or changed, or another step. */
  constructor(position: WatchPosition, what: Kept | Step) {
    this.position = position;
    this.#what = what;
  }

  /** As an object. */
  get response(): WatchResponse {
    const { position } = this;
    if (!(this.#what instanceof Kept)) return { position, step: this.#what };
    const { kind, value } = this.#what;
    return { position, step: { $case: "upsert", value: pack({ kind, value }) } };
  }

  /** As it goes over the wire, the bytes before a message included. Made once, however many read it. */
  get frame(): Buffer {
    this.#frame ??= framed(this.#encode());
    return this.#frame;
  }

  #encode(): Uint8Array {
    const { position } = this;
    if (!(this.#what instanceof Kept)) return WatchResponse.encode({ position, step: this.#what }).finish();
    const value = { typeUrl: typeUrlOf(this.#what.kind), value: this.#what.bytes() };
    return WatchResponse.encode({ position, step: { $case: "upsert", value } }).finish();
  }
}

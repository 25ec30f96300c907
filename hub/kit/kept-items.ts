import { Frames } from "../../lib/grpc/frames.js";
import { type AnyMethod, codecOf } from "../../lib/kinds/codecs.js";
import { findRule } from "../../lib/kinds/kinds.js";
import type { Kept } from "../../lib/watch/kept.js";
import type { AnyHandler } from "./handlers.js";

/** The items of an answer to a List as they are kept: they are put into it without being decoded and encoded again. */
export class KeptItems {
  readonly all: readonly Kept[];

  constructor(all: readonly Kept[]) {
    this.all = all;
  }
}

/** Kept items where an answer has its items. */
export function inPlace<Item>(items: KeptItems): Item[] {
  // The hub's services write them (ListAnswers); nobody else sees the answer.
  return items as unknown as Item[];
}

/** Bytes before a message: a flag and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const headerBytes = 5;

/**
 * Writes answers to Lists that hold {@link KeptItems}. An answer may have megabytes: where it can be, the memory of one that has been sent is
 * used again, as V8 takes such blocks for a reason to look for garbage in everything.
 */
export class ListAnswers {
  #free: Buffer | undefined;

  /** The handler of a method, or one that writes its answers. */
  wrap(method: AnyMethod, handler: AnyHandler): AnyHandler {
    const { kind = "", verb, response: field = "" } = findRule(method.path) ?? {};
    if (verb !== "list" || kind === "" || field === "") return handler;
    const tag = tagOf(method, kind, field);
    return async (request, context) => {
      // An answer is an object of the method's response type.
      const answer = (await handler(request, context)) as Readonly<Record<string, unknown>>;
      const items = answer[field];
      if (!(items instanceof KeptItems)) return answer;
      return this.#frame(tag, items.all, method.responseSerialize({ ...answer, [field]: [] }));
    };
  }

  /** Fields of a message may come in any order: those of the items go before the others. */
  #frame(tag: Buffer, items: readonly Kept[], others: Buffer): Frames {
    const length = items.reduce((sum, { size }) => sum + tag.length + varintLength(size) + size, others.length);
    const block = this.#take(headerBytes + length);
    let at = block.writeUInt8(0, 0);
    at = block.writeUInt32BE(length, at);
    for (const { text } of items) {
      at += tag.copy(block, at);
      let left = text.length;
      for (; left > 0x7f; left >>>= 7) at = block.writeUInt8((left & 0x7f) | 0x80, at);
      at = block.writeUInt8(left, at);
      at += block.write(text, at, "latin1");
    }
    at += others.copy(block, at);
    const onSent = (): void => {
      if ((this.#free?.length ?? 0) < block.length) this.#free = block;
    };
    return new Frames(block.subarray(0, at), { onSent });
  }

  #take(bytes: number): Buffer {
    const free = this.#free;
    if (free === undefined || free.length < bytes) return Buffer.allocUnsafe(bytes);
    this.#free = undefined;
    return free;
  }
}

/** The bytes before the length of each item. */
function tagOf(method: AnyMethod, kind: string, field: string): Buffer {
  const empty = method.responseDeserialize(Buffer.alloc(0)) as object;
  // An item without any field set is its tag and a length of nothing.
  return method.responseSerialize({ ...empty, [field]: [codecOf(kind).fromPartial({})] }).subarray(0, -1);
}

/** Bytes of a length as a varint. */
function varintLength(value: number): number {
  let length = 1;
  for (let left = value >>> 7; left > 0; left >>>= 7) length += 1;
  return length;
}

import { type AnyMethod, type AnyService, codecOf } from "../../lib/kinds/codecs.js";
import { findRule } from "../../lib/kinds/kinds.js";
import type { Kept } from "../../lib/watch/kept.js";

/** The items of an answer to a List as they are kept: they are put into it without being decoded and encoded again. */
export class KeptItems {
  readonly all: readonly Kept[];

  constructor(all: readonly Kept[]) {
    this.all = all;
  }
}

/** Kept items where an answer has its items. */
export function inPlace<Item>(items: KeptItems): Item[] {
  // The hub's services write them (withKeptItems); nobody else sees the answer.
  return items as unknown as Item[];
}

/** A service of which the answers to List methods may hold {@link KeptItems}. */
export function withKeptItems(service: AnyService): AnyService {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const { kind = "", verb, response = "" } = findRule(method.path) ?? {};
      return [name, verb === "list" && kind !== "" && response !== "" ? listMethod(method, kind, response) : method];
    }),
  );
}

function listMethod(method: AnyMethod, kind: string, field: string): AnyMethod {
  const tag = tagOf(method, kind, field);
  return {
    ...method,
    responseSerialize: (answer: Readonly<Record<string, unknown>>) => {
      const items = answer[field];
      if (!(items instanceof KeptItems)) return method.responseSerialize(answer);
      return join(tag, items.all, method.responseSerialize({ ...answer, [field]: [] }));
    },
  };
}

/** The bytes before the length of each item. */
function tagOf(method: AnyMethod, kind: string, field: string): Buffer {
  const empty = method.responseDeserialize(Buffer.alloc(0)) as object;
  // An item without any field set is its tag and a length of nothing.
  return method.responseSerialize({ ...empty, [field]: [codecOf(kind).fromPartial({})] }).subarray(0, -1);
}

/** Fields of a message may come in any order: those of the items go before the others. */
function join(tag: Buffer, items: readonly Kept[], others: Buffer): Buffer {
  const bytes = items.reduce((sum, { size }) => sum + tag.length + varintLength(size) + size, others.length);
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { text } of items) {
    at += tag.copy(joined, at);
    let left = text.length;
    for (; left > 0x7f; left >>>= 7) at = joined.writeUInt8((left & 0x7f) | 0x80, at);
    at = joined.writeUInt8(left, at);
    at += joined.write(text, at, "latin1");
  }
  others.copy(joined, at);
  return joined;
}

/** Bytes of a length as a varint. */
function varintLength(value: number): number {
  let length = 1;
  for (let left = value >>> 7; left > 0; left >>>= 7) length += 1;
  return length;
}

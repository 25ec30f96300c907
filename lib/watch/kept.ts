import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { codecOf, type NamedMessage } from "../kinds/codecs.js";
import type { AnyResource } from "../kinds/resource.js";

/** Encoded bytes as a text of a character each. V8 keeps such a text with sixteen bytes besides, a Buffer with more than a hundred. */
export type ByteText = string;

/** A resource as a program keeps it: as its bytes, as an object, or as both. It never changes: a changed resource is another one. */
export class Kept {
  readonly kind: string;
  readonly name: string;
  #text: ByteText | undefined;
  readonly #value: NamedMessage | undefined;

  private constructor(kind: string, name: string, body: { readonly text?: ByteText; readonly value?: NamedMessage }) {
    this.kind = kind;
    this.name = name;
    this.#text = body.text;
    this.#value = body.value;
  }

  /** Keeps an object, which nobody may change from now on; its bytes are made when they are asked for. */
  static ofValue({ kind, value }: AnyResource): Kept {
    return new Kept(kind, value.name, { value });
  }

  /** Keeps bytes only, of a resource of that name; the object is made anew each time that it is asked for. */
  static ofText(kind: string, name: string, text: ByteText): Kept {
    return new Kept(kind, name, { text });
  }

  /** The resource as an object, not to be changed. */
  get value(): NamedMessage {
    return this.#value ?? codecOf(this.kind).decode(this.bytes());
  }

  /** The resource as its message's bytes. */
  get text(): ByteText {
    this.#text ??= encode(this.kind, this.value);
    return this.#text;
  }

  /** Number of bytes. */
  get size(): number {
    return this.text.length;
  }

  /** A copy of the bytes. */
  bytes(): Buffer {
    return Buffer.from(this.text, "latin1");
  }
}

/** What a writer of @bufbuild/protobuf has written so far. Its public way to that copies it, which takes as long as writing it. */
interface Written {
  readonly buffer: Uint8Array;
  pos: number;
}

const largeBytes = 64 * 1024;
/** A writer keeps its buffer, which takes longer to make than to fill. */
let writer: BinaryWriter | undefined;
let view: Buffer = Buffer.alloc(0);

/** Bytes of a resource's message, as text. */
export function encode(kind: string, value: NamedMessage): ByteText {
  const used = writer ?? new BinaryWriter();
  // One that an error leaves half full is not used again.
  writer = undefined;
  codecOf(kind).encode(value, used);
  // These members are private, and what they are is checked by the test of this module.
  const written = used as unknown as Written;
  const { buffer, pos } = written;
  if (view.buffer !== buffer.buffer) view = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const text = view.toString("latin1", 0, pos);
  written.pos = 0;
  // One that has become large is thrown away.
  if (pos <= largeBytes) writer = used;
  return text;
}

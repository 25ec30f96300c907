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
    this.#text ??= textOf(encode(this.kind, this.value));
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

/** A writer keeps its buffer, which takes longer to make than to fill; one that has become large is thrown away. */
let writer = new BinaryWriter();
const largeBytes = 64 * 1024;

/** Bytes of a resource's message. */
export function encode(kind: string, value: NamedMessage): Uint8Array {
  const used = writer;
  // One that an error has left half full is not used again.
  writer = new BinaryWriter();
  const bytes = codecOf(kind).encode(value, used).finish();
  if (bytes.length <= largeBytes) writer = used;
  return bytes;
}

/** Bytes as text. */
export function textOf(bytes: Uint8Array): ByteText {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import { idOf } from "../resource-name.js";
import type { Row } from "../row.js";

/** What a row is made of. */
export interface RowParts {
  readonly kind: string;
  readonly name: string;
  readonly host: string;
  readonly receivedAtMs: number;
}

/** The row of a resource that is decoded when somebody asks for it. It stays as it is, whatever becomes of the resource. */
export class KeptRow implements Row {
  readonly kind: string;
  readonly name: string;
  readonly id: string;
  readonly host: string;
  readonly receivedAtMs: number;
  /** The encoded message, a character for each byte: V8 moves and frees such a text like any other, unlike a Buffer. */
  #text: string;
  #resource: NamedMessage | undefined;

  constructor({ kind, name, host, receivedAtMs }: RowParts, text: string) {
    this.kind = kind;
    this.name = name;
    this.id = idOf(name);
    this.host = host;
    this.receivedAtMs = receivedAtMs;
    this.#text = text;
  }

  get resource(): NamedMessage {
    if (this.#resource === undefined) {
      this.#resource = decoded(this.kind, this.name, Buffer.from(this.#text, "latin1"));
      this.#text = "";
    }
    return this.#resource;
  }
}

/** What a {@link GlancedRow} is read from. */
export interface RowSource {
  readonly kind: string;
  nameAt(slot: number): string;
  hostAt(slot: number): string;
  receivedAtMs(slot: number): number;
  /** The encoded message as it is kept: it is another one after the next change. */
  bytesAt(slot: number): Uint8Array;
}

/** A row that is looked at now and not kept: it costs little, and says what is in its slot when it is asked. */
export class GlancedRow implements Row {
  readonly #source: RowSource;
  readonly #slot: number;
  #name: string | undefined;
  #resource: NamedMessage | undefined;

  constructor(source: RowSource, slot: number) {
    this.#source = source;
    this.#slot = slot;
  }

  get kind(): string {
    return this.#source.kind;
  }

  get name(): string {
    this.#name ??= this.#source.nameAt(this.#slot);
    return this.#name;
  }

  get id(): string {
    return idOf(this.name);
  }

  get host(): string {
    return this.#source.hostAt(this.#slot);
  }

  get receivedAtMs(): number {
    return this.#source.receivedAtMs(this.#slot);
  }

  get resource(): NamedMessage {
    this.#resource ??= decoded(this.kind, this.name, this.#source.bytesAt(this.#slot));
    return this.#resource;
  }
}

/** A resource of which nothing but the name can be read is shown as that. */
function decoded(kind: string, name: string, bytes: Uint8Array): NamedMessage {
  const codec = codecOf(kind);
  try {
    return codec.decode(bytes);
  } catch {
    return codec.fromPartial({ name });
  }
}

import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import { codecTable, type ResourceTypes, serviceTable } from "../../proto/gen/codecs.js";

export type { ResourceTypes };

/** Where the messages of a kind begin. */
export interface NamedMessage {
  readonly name: string;
}

/** What every kind of resource has besides its name, in the form of ts-proto; records have none of it but their name. */
export interface ResourceMeta extends NamedMessage {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly etag: string;
  readonly createTime: Date | undefined;
  readonly updateTime: Date | undefined;
}

/** Codec of a message, as ts-proto makes them. Methods, so that a codec of one message stands for one of any. */
export interface Codec<R extends NamedMessage = NamedMessage> {
  /** @param writer to write with; default: a new one. */
  encode(message: R, writer?: BinaryWriter): { finish(): Uint8Array };
  decode(bytes: Uint8Array): R;
  fromJSON(json: unknown): R;
  toJSON(message: R): unknown;
  fromPartial(partial: object): R;
}

/** A method of a service, as ts-proto makes them, of any messages. */
export interface AnyMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestSerialize(value: unknown): Buffer;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(value: unknown): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}

/** The definition of a service: its methods by ts-proto's names. */
export type AnyService = Readonly<Record<string, AnyMethod>>;

/** Codecs of kinds, by singular, and definitions of services, by full name, in the form that `npm run gen` makes. */
export interface CodecAdditions {
  readonly codecs: Readonly<Record<string, unknown>>;
  readonly services: Readonly<Record<string, unknown>>;
}

const codecs = new Map<string, Codec>();
const services = new Map<string, AnyService>();

/** Adds codecs to those of this process; goes with `addKinds`. */
export function addCodecs(additions: CodecAdditions): void {
  // The generator puts only ts-proto's codecs and definitions into these tables.
  for (const [singular, codec] of Object.entries(additions.codecs)) codecs.set(singular, codec as Codec);
  for (const [name, service] of Object.entries(additions.services)) services.set(name, service as AnyService);
}

addCodecs({ codecs: codecTable, services: serviceTable });

/** The codec of a kind. @throws {Error} when there is none. */
export function codecOf<K extends keyof ResourceTypes>(singular: K): Codec<ResourceTypes[K]>;
export function codecOf(singular: string): Codec;
export function codecOf(singular: string): Codec {
  const codec = codecs.get(singular);
  if (codec === undefined) throw new Error(`there is no codec of the kind "${singular}"`);
  return codec;
}

/** Singular of the kind whose codec it is. @throws {Error} when it is none of the table. */
export function kindOfCodec<R extends NamedMessage>(codec: Codec<R>): string {
  // Compared by identity alone, whatever their messages are.
  const found = [...codecs].find(([, each]) => (each as unknown) === codec);
  if (found === undefined) throw new Error("there is no kind with that codec");
  return found[0];
}

/** The definition of a service, "zor.v1.LanService"; undefined: there is none. */
export function findService(name: string): AnyService | undefined {
  return services.get(name);
}

/** Full names and definitions of all services. */
export function allServices(): readonly (readonly [name: string, definition: AnyService])[] {
  return [...services];
}

import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { GrpcObject } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { bytesToJson, jsonToBytes } from "../../../lib/grpc/json.js";
import { allServices } from "../../../lib/kinds/codecs.js";
import { allKinds } from "../../../lib/kinds/kinds.js";
import { fileDescriptorSetBase64 } from "../../../proto/gen/descriptors.js";

interface Codec {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  // The two codecs hold messages in different shapes; only bytes are compared.
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

// Every service of the table: one that is added is tested without a line here.
const generated: Readonly<Record<string, Readonly<Record<string, Codec>>>> = Object.fromEntries(allServices());

const loaded = loadFileDescriptorSetFromBuffer(Buffer.from(fileDescriptorSetBase64, "base64"), {
  longs: String,
  enums: String,
  oneofs: true,
});
const { registry } = descriptors();
const methods = Object.entries(generated).flatMap(([service, definition]) =>
  Object.entries(definition).map(([name, codec]) => ({ service, name, codec })),
);

/** Proto3 JSON of a random message of a type; every field may be set, oneofs hold one. */
function arbitraryJson(type: DescMessage, depth: number): fc.Arbitrary<Record<string, unknown>> {
  if (type.typeName === "google.protobuf.Any") return depth > 2 ? fc.constant({}) : arbitraryPacked(depth);
  const plain = type.fields.filter((field) => field.oneof === undefined);
  const parts = plain.map((field) =>
    fc.option(
      arbitraryField(field, depth).map((value) => ({ [field.jsonName]: value })),
      { nil: {} },
    ),
  );
  const unions = type.oneofs.map((union) =>
    fc.oneof(
      ...union.fields.map((field) => arbitraryField(field, depth).map((value) => ({ [field.jsonName]: value }))),
    ),
  );
  return fc.tuple(...parts, ...unions).map((objects) => Object.assign({}, ...objects) as Record<string, unknown>);
}

function arbitraryPacked(depth: number): fc.Arbitrary<Record<string, unknown>> {
  const kinds = allKinds()
    .map(({ type }) => registry.getMessage(type))
    .filter((type) => type !== undefined);
  return fc
    .constantFrom(...kinds)
    .chain((type) =>
      arbitraryJson(type, depth + 2).map((json) => ({ ...json, "@type": `type.googleapis.com/${type.typeName}` })),
    );
}

function arbitraryField(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one = arbitraryValue(field, depth);
  if (field.fieldKind === "list") return depth > 3 ? fc.constant([]) : fc.array(one, { maxLength: 3 });
  if (field.fieldKind === "map") return fc.dictionary(fc.stringMatching(/^[a-z.-]{1,8}$/), one, { maxKeys: 3 });
  return one;
}

function arbitraryValue(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return arbitraryMessage(field.message, depth);
  if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map((value) => value.name));
  switch (field.scalar) {
    case ScalarType.STRING:
      return fc.string({ unit: "grapheme", maxLength: 20 });
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      // Negative zero is the default for one codec and a value for the other; nothing here means either.
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    case ScalarType.INT64:
    case ScalarType.SINT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    case ScalarType.UINT64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.UINT32:
      return fc.nat({ max: 2 ** 32 - 1 });
    default:
      throw new Error(`${field.parent.typeName}.${field.name}: teach this test its type`);
  }
}

function arbitraryMessage(type: DescMessage, depth: number): fc.Arbitrary<unknown> {
  if (type.typeName === "google.protobuf.Timestamp") {
    // ts-proto holds a Date: whole milliseconds.
    return fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms).toISOString());
  }
  if (type.typeName === "google.protobuf.Duration")
    return fc.integer({ min: -1_000_000, max: 1_000_000 }).map((ms) => `${(ms / 1000).toFixed(3)}s`);
  // Paths in JSON are in camel case, whatever they are on the wire.
  if (type.typeName === "google.protobuf.FieldMask")
    return fc
      .array(fc.stringMatching(/^[a-z]{1,5}([A-Z][a-z]{1,5}){0,2}(\.[a-z]{1,5})?$/), { maxLength: 3 })
      .map((paths) => paths.join(","));
  return depth > 4 ? fc.constant({}) : arbitraryJson(type, depth + 1);
}

describe("the generated code and proto-loader", () => {
  it("know the same services and methods", () => {
    const services = [...registry]
      .filter((type) => type.kind === "service" && type.typeName.startsWith("zor."))
      .map((type) => type.typeName);
    expect(Object.keys(generated)).toEqual(services.sort());
    for (const { service, codec } of methods) {
      const other = Object.values(loaded[service] as unknown as GrpcObject).map(
        (method) => (method as unknown as Codec).path,
      );
      expect(other).toContain(codec.path);
    }
  });

  it.each(methods.map((method) => [method.codec.path, method] as const))(
    "read and write the same bytes for %s",
    (_, method) => {
      const definition = loaded[method.service] as unknown as Readonly<Record<string, Codec>>;
      const rpc = registry
        .getService(method.service)
        ?.methods.find((candidate) => `/${method.service}/${candidate.name}` === method.codec.path);
      const other = Object.values(definition).find((candidate) => candidate.path === method.codec.path);
      if (rpc === undefined || other === undefined) throw new Error(`${method.codec.path} is not in the descriptors`);
      expect([other.requestStream, other.responseStream]).toEqual([
        method.codec.requestStream,
        method.codec.responseStream,
      ]);
      for (const [type, side] of [
        [rpc.input, "request"],
        [rpc.output, "response"],
      ] as const) {
        fc.assert(
          fc.property(arbitraryJson(type, 0), (json) => {
            const bytes = Buffer.from(jsonToBytes(type.typeName, json as never));
            const want = bytesToJson(type.typeName, bytes);
            const throughGenerated = method.codec[`${side}Serialize`](
              method.codec[`${side}Deserialize`](bytes) as never,
            );
            const throughLoader = other[`${side}Serialize`](other[`${side}Deserialize`](bytes) as never);
            expect(bytesToJson(type.typeName, throughGenerated)).toEqual(want);
            expect(bytesToJson(type.typeName, throughLoader)).toEqual(want);
          }),
          { numRuns: 40 },
        );
      }
    },
  );
});

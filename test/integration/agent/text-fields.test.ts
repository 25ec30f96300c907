import { tmpdir } from "node:os";
import type { DescField, DescMessage, DescMethod, JsonValue } from "@bufbuild/protobuf";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDrivers } from "../../../agent/drivers/registry.js";
import { ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { createLog } from "../../../lib/log.js";
import { HubFixture } from "../hub/fixture.js";
import { ApiFixture } from "./api-fixture.js";

/** What no line of text holds. */
const hostile = ["a\nb", "a\rb", "a\0b", "a\u001b[2Jb", "a\u007fb", "a\u0085b", "a\u2028b"];

/** Requests that would be taken; a field under test is put in. What is not here begins empty. */
const bases: Readonly<Record<string, JsonValue>> = {
  CreateInstance: {
    parent: "hosts/h1",
    instanceId: "c1",
    validateOnly: true,
    instance: { spec: { nics: [{}], crun: { rootfs: "micro", capabilities: {} } } },
  },
  CreateLan: { parent: "hosts/h1", lanId: "l1", validateOnly: true, lan: { spec: {} } },
  CreateHost: { hostId: "h9", validateOnly: true, host: {} },
  CreateLink: {
    linkId: "l9",
    validateOnly: true,
    link: { spec: { a: "hosts/alpha/lans/lan1", b: "hosts/beta/lans/lan1" } },
  },
  CreateExpose: {
    exposeId: "e9",
    validateOnly: true,
    expose: { spec: { instance: "hosts/alpha/instances/web", port: 80 } },
  },
  CreateToken: { role: "ROLE_VIEWER" },
};

/** The fields of other drivers need a spec of theirs. */
const driverOptions: Readonly<Record<string, JsonValue>> = {
  qemu: { kernel: "micro", disks: [{}] },
  docker: { image: "debian:12" },
  podman: { image: "debian:12" },
};

/** The request that a field is put into. */
function baseOf(method: string, path: string): JsonValue {
  const driver = /^CreateInstance\.instance\.spec\.(\w+)\./.exec(path)?.[1] ?? "";
  const options = driverOptions[driver];
  if (options === undefined) return bases[method] ?? {};
  return { parent: "hosts/h1", instanceId: "m1", validateOnly: true, instance: { spec: { [driver]: options } } };
}

/**
 * Fields that may hold control characters, or are not read from requests, and why. All others are tried.
 * A field of text that is new has to be refused such characters, or to get a line here.
 */
const decisions: readonly (readonly [RegExp, string])[] = [
  [/\.(command|entrypoint)\[\]$/, "words of execve(2): a script has lines; only NUL is refused"],
  [/\.spec\.libvirt\./, "read only: domains are found and not made; who asks for one is refused"],
  [/\.page_token$/, "opaque; another text than one that was given out is refused, whatever is in it"],
  [/\.(status|fingerprint|summary|unreachable)\b/, "read only: what a request says is not looked at"],
  [/\.(uid|reason|port|create_time|last_refusal)$/, "read only: what a request says is not looked at"],
  [
    /\.(host|instance|lan|link|a2b|expose)\.name$/,
    "read only when it is created; where it is updated it is the name, tried below",
  ],
  [/\.etag$/, "read only when it is created; where it is updated, another one than the resource's own is refused"],
  [/\.annotations$/, "notes of people and programs may have lines; their keys are checked like those of labels"],
  [/\.device_address$/, "read only: the agent chooses it"],
  [
    /^Join\./,
    "on a port of its own; the token's alphabet is checked before anything else (test/unit/hub/join/join.test.ts)",
  ],
  [/\.filter$/, "an expression: line breaks are blanks between its words, and it goes no further than the list"],
  [
    /^CreateA2b\.(?!parent|a2b_id)/,
    "needs a cable engine, which is not here; test/contract/input/every-field.test.ts has it",
  ],
  [/^Watch(View)?\.position\.epoch$/, "opaque; another than the server's own begins the watch anew"],
  [/^WatchView\.query$/, "an expression, as filters are: it goes no further than the view"],
];

const places = [...descriptors().registry]
  .filter((type) => type.kind === "service" && type.typeName.startsWith("zor.v1."))
  .flatMap((service) => (service.kind === "service" ? service.methods : []))
  .flatMap((method) => textsOf(method.input, []).map((fields) => ({ method, path: pathOf(method, fields), fields })));

/** Every way to a field of text below a message; messages within themselves are followed once. */
function textsOf(message: DescMessage, way: readonly DescField[]): DescField[][] {
  return message.fields.flatMap((field) => {
    if (way.includes(field)) return [];
    const here = [...way, field];
    const below = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message");
    if (below && field.message !== undefined) {
      return field.message.typeName.startsWith("google.") ? [] : textsOf(field.message, here);
    }
    const isText = field.fieldKind === "map" || ("scalar" in field && field.scalar === 9);
    return isText ? [here] : [];
  });
}

function pathOf(method: DescMethod, fields: readonly DescField[]): string {
  const names = fields.map(({ name, fieldKind }) => (fieldKind === "list" ? `${name}[]` : name));
  return [method.name, ...names].join(".");
}

/** A request with texts at the end of a way. */
function put(base: JsonValue, fields: readonly DescField[], value: JsonValue): JsonValue {
  const [field, ...rest] = fields;
  if (field === undefined) return value;
  const object = (base ?? {}) as { [key: string]: JsonValue }; // messages are objects in JSON
  const before = object[field.jsonName];
  if (field.fieldKind === "list") {
    const [first = {}] = (before ?? []) as JsonValue[]; // lists are arrays in JSON
    return { ...object, [field.jsonName]: [put(first, rest, value)] };
  }
  return { ...object, [field.jsonName]: put(before ?? {}, rest, value) };
}

let agent: ApiFixture;
let hub: HubFixture;

beforeAll(async () => {
  const options = { imageDirectories: ["/var/lib/zor/images"], stateDirectory: tmpdir(), containerCapabilities: [] };
  const engines = { docker: "/nowhere/docker.sock", podman: "/nowhere/podman.sock" };
  const log = createLog("test", { write: () => undefined });
  agent = await ApiFixture.start({ drivers: createDrivers({ ...options, engines, registries: [], disk: {}, log }) });
  hub = await HubFixture.start();
});

afterAll(async () => {
  await agent.close();
  await hub[Symbol.asyncDispose]();
});

/** Calls a method with JSON and resolves to the error it ends with. */
async function refusal(connection: Connection, method: DescMethod, request: JsonValue): Promise<ZorError | undefined> {
  const bytes = (value: Buffer): Buffer => value;
  const definition: MethodDefinition<Buffer, Buffer> = {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "bidi_streaming",
    responseStream: method.methodKind !== "unary",
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const first = Buffer.from(jsonToBytes(method.input.typeName, request));
  try {
    if (method.methodKind === "unary")
      await connection.unary(definition as never, first as never); // types of bytes
    else if (method.methodKind === "bidi_streaming")
      await once(connection.bidi(definition as never, one(first) as never));
    else await once(connection.stream(definition as never, first as never));
    return undefined;
  } catch (error) {
    if (error instanceof ZorError) return error;
    throw error;
  }
}

async function* one(value: Buffer): AsyncGenerator<Buffer> {
  yield value;
}

async function once(values: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of values) return;
}

const tried = places.filter(({ path }) => !decisions.some(([pattern]) => pattern.test(path)));

describe("texts in requests", () => {
  it("are all known: every exception has a field that it is for", () => {
    expect(decisions.filter(([pattern]) => !places.some(({ path }) => pattern.test(path)))).toEqual([]);
    expect(tried.length).toBeGreaterThan(60);
  });

  it.each(tried.map((place) => [place.path, place] as const))("hold no control character: %s", async (path, place) => {
    const { method, fields } = place;
    const base = baseOf(method.name, path);
    const last = fields.at(-1);
    const isMap = last?.fieldKind === "map";
    const holdsText = isMap && last.mapKind === "scalar" && last.scalar === 9;
    for (const text of hostile) {
      // The key of one that is fine, and one that is not.
      const inMap: JsonValue[] = [{ [text]: "1" }, ...(holdsText ? [{ "net.ipv4.x": text, A_1: text }] : [])];
      const values: JsonValue[] = isMap ? inMap : [text];
      for (const value of values) {
        const request = put(base, fields, value);
        const errors = [
          await refusal(agent.operator, method, request),
          await refusal(hub.admin, method, request),
        ].filter((error) => error?.code !== status.UNIMPLEMENTED && error?.code !== status.PERMISSION_DENIED);
        const invalid = errors.filter((error) => error?.code === status.INVALID_ARGUMENT);
        expect(
          invalid.length,
          `${path} = ${JSON.stringify(value)}: ${errors.map((e) => e?.message ?? "taken")}`,
        ).toBeGreaterThan(0);
      }
    }
  });
});

import { createHash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { baseOf } from "./bases.js";
import { callBytes } from "./call-bytes.js";
import type { HostileValue } from "./hostile-values.js";
import { allPlaces, type Place, plainBytes, requestBytes, valuesOf } from "./request-fields.js";
import { InputWorld } from "./world.js";

/** What a bad request may end with: it is the caller's fault, or the state's. */
const clear: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNIMPLEMENTED,
  status.OUT_OF_RANGE,
]);
/** As long as an error may be: it has to be read. */
const longestMessage = 600;
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;

/**
 * Gives every field of every request of the public API what nobody should send, and demands that each call ends in time, with success or
 * with an error that names the field, and that what is refused changes nothing. The fields are read off the descriptors: a new one is
 * covered by itself.
 * @param most values for each field, always the same ones, and a few where the same field of a message stands in another request; other
 * fields have other ones.
 */
export function describeEveryField(most: number): void {
  const seen = new Set<string>();
  const byMethod = Map.groupBy(allPlaces(), ({ method }) => `${method.parent.name}.${method.name}`);
  const values = new Map<Place, readonly HostileValue[]>();
  for (const place of [...byMethod.values()].flat()) {
    const field = `${place.fields.at(-1)?.parent.typeName}.${place.fields.at(-1)?.name}${place.half ?? ""}`;
    // What only servers tell is not looked at in requests.
    const isTold = /\.(status|fingerprint|summary|unreachable)\b./.test(place.path);
    values.set(place, sampleOf(place, isTold || seen.has(field) ? Math.ceil(most / 6) : most));
    seen.add(field);
  }

  describe("hostile values in every field of", () => {
    let world: InputWorld;
    beforeAll(async () => {
      world = await InputWorld.start();
    });
    afterAll(() => world.close());

    it.each([...byMethod])("%s", { timeout: 600_000 }, async (_name, places) => {
      const faults: string[] = [];
      for (const place of places) faults.push(...(await faultsAt(world, place, values.get(place) ?? [])));
      expect(faults).toEqual([]);
    });
  });
}

/** Values of a place, chosen by its name. */
function sampleOf(place: Place, most: number): readonly HostileValue[] {
  const rank = ({ label }: HostileValue): string => createHash("sha256").update(`${place.path} ${label}`).digest("hex");
  const all = valuesOf(place).map((value) => ({ value, rank: rank(value) }));
  return all
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, most)
    .map(({ value }) => value);
}

async function faultsAt(world: InputWorld, place: Place, values: readonly HostileValue[]): Promise<string[]> {
  if (place.method.methodKind === "unary") return await faultsOver(world.fixture.admin, world, place, values);
  const connection = await world.another();
  try {
    return await faultsOver(connection, world, place, values);
  } finally {
    connection.close();
  }
}

async function faultsOver(
  connection: Connection,
  world: InputWorld,
  place: Place,
  values: readonly HostileValue[],
): Promise<string[]> {
  const { method } = place;
  const { messages } = requestOf(place, undefined);
  const usual = (await callBytes(connection, method, messages)).error;
  // What was read last holds as long as nothing is taken.
  if (usual === undefined) world.forget();
  const before = await world.remembered();
  const faults: string[] = [];
  let taken = 0;
  for (const value of values) {
    const request = requestOf(place, value);
    const { error } = await callBytes(connection, method, request.messages);
    const said = error === undefined ? [] : faultsOf(error, { place, value, usual, state: world.state });
    if (error === undefined) {
      taken += 1;
      await world.undo(method, request.id);
    }
    faults.push(...said.map((fault) => `${place.path} = ${value.label}: ${fault}`));
  }
  if (taken > 0) {
    world.forget();
    return faults;
  }
  const after = await world.read();
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  faults.push(...changed.map((name) => `${place.path}: what was refused has changed ${name}`));
  return faults;
}

interface Tried {
  readonly place: Place;
  readonly value: HostileValue;
  /** How the request ends without the value. */
  readonly usual: ZorError | undefined;
  readonly state: string;
}

/** What is wrong with an error. */
function faultsOf(error: ZorError, { place, value, usual, state }: Tried): string[] {
  const { code, reason, message, violations } = error;
  // What is refused as it is without the value was not refused for the value.
  const isUsual = reason === usual?.reason && code === usual.code && message === usual.message;
  const fields = violations.map(({ field }) => field);
  const faults: string[] = [];
  // The host of these tests has no container engines.
  const isAway = code === status.UNAVAILABLE && (isUsual || reason === "ENGINE_UNREACHABLE");
  if (!clear.has(code) && !isAway) faults.push("no clear code");
  if (!/^[A-Z][A-Z0-9_]{2,}$/.test(reason)) faults.push("no reason");
  if (/\bundefined\b|\[object|^\s+at /m.test(message)) faults.push("a fault in the program shows");
  if (message.includes(state) || (!value.label.includes("/") && /\/(etc|tmp|proc|run|root)\//.test(message)))
    faults.push("a path of the host shows");
  if (unsafe.test(message)) faults.push("characters that terminals obey");
  if (message.length > longestMessage) faults.push(`${message.length} characters`);
  if (code === status.INVALID_ARGUMENT && !isUsual && !fields.some((field) => isAbout(field, place)))
    faults.push("names another field");
  const said = `${status[code]} ${reason} ${JSON.stringify(message.slice(0, 400))} [${fields.join()}]`;
  return faults.map((fault) => `${fault}: ${said}`);
}

/**
 * Whether a violation is of the field, of what it is in, or of what is in it; or, of small messages deep in a request, of what they need
 * besides.
 */
function isAbout(violation: string, { path, fields }: Place): boolean {
  const plain = (text: string): string => text.replaceAll(/\[[^\]]*\]|\{\w+\}/g, "");
  const said = plain(violation);
  const way = plain(path.slice(path.indexOf(".") + 1));
  const isSame = `${way}.`.startsWith(`${said}.`) || `${said}.`.startsWith(`${way}.`);
  const around = said.split(".").slice(0, -1);
  const isBeside = around.length >= 4 && way.startsWith(`${around.join(".")}.`);
  // Bytes that are no message say nothing of where it was.
  if (said === "request" || isSame || isBeside) return true;
  return said.endsWith(`.${fields.at(-1)?.name ?? ""}`) || pairs.some((pair) => pair.test(`${way} ${said}`));
}

/** Fields that are bounded together: the error is of the other one. */
const pairs = [/^start\.environment start\.command$/, /^open\.screen open\.port$/];

let ids = 0;

/** The messages of a request with a hostile value; undefined: as it would be taken. */
function requestOf(
  place: Place,
  value: HostileValue | undefined,
): { readonly messages: Buffer[]; readonly id: string } {
  ids += 1;
  const id = `x${ids}`;
  const base = JSON.parse(JSON.stringify(baseOf(place)).replaceAll("{id}", id)) as JsonObject;
  const opening = plainBytes(place.method, base);
  if (value === undefined) return { messages: [opening], id };
  const hostile = requestBytes(base, place, value);
  // What comes after the first message of a stream.
  const [head] = place.fields;
  const isStream = place.method.methodKind === "bidi_streaming";
  const isLater = isStream && head?.oneof !== undefined && base[head.jsonName] === undefined;
  return { messages: isLater ? [opening, hostile] : [hostile], id };
}

import type { ServiceDefinition } from "@grpc/grpc-js";
import { invalidArgument } from "../errors.js";

/** Stands for a message that could not be decoded until whoever handles the call refuses it. */
const malformed = Symbol("malformed message");

/**
 * A service whose messages never fail to decode: grpc-js would end such a call as INTERNAL, as if the fault were the server's. What
 * cannot be decoded is refused by {@link wellFormed} instead.
 */
export function withMalformed(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      { ...method, requestDeserialize: (bytes: Buffer) => decodeOr(method.requestDeserialize, bytes) },
    ]),
  );
}

function decodeOr(decode: (bytes: Buffer) => unknown, bytes: Buffer): unknown {
  try {
    return decode(bytes);
  } catch {
    return malformed;
  }
}

/**
 * The message, if it is one. @throws {ZorError} INVALID_ARGUMENT when it could not be decoded, or has a time that the protocol does not
 * know: it could neither be kept nor handed on.
 */
export function wellFormed(message: unknown, method: string): unknown {
  if (message !== malformed) {
    const field = findBadTime(message, "");
    if (field === undefined) return message;
    throw invalidArgument(field, "is not a time of the years 1 to 9999");
  }
  throw invalidArgument("request", `is not a message of ${method.replace(/^\//, "")}: it cannot be decoded`);
}

// google.protobuf.Timestamp.
const firstTime = Date.parse("0001-01-01T00:00:00Z");
const lastTime = Date.parse("9999-12-31T23:59:59.999Z");

/** Where a message has a time that is none: "instance.create_time". */
function findBadTime(value: unknown, path: string): string | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  if (value instanceof Date) {
    const time = value.getTime();
    return time >= firstTime && time <= lastTime ? undefined : path;
  }
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    if (typeof each !== "object") continue;
    const found = findBadTime(each, isList ? `${path}[${key}]` : pathTo(path, key, value));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A member of a oneof is called as it is in the proto file, not "value". */
function pathTo(path: string, key: string, { $case }: { readonly $case?: unknown }): string {
  const oneof = key === "value" && typeof $case === "string";
  const parent = oneof ? path.replace(/\.?[^.]*$/, "") : path;
  const name = (oneof ? $case : key).replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return parent === "" ? name : `${parent}.${name}`;
}

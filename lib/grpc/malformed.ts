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

/** The message, if it is one. @throws {ZorError} INVALID_ARGUMENT when it could not be decoded. */
export function wellFormed(message: unknown, method: string): unknown {
  if (message !== malformed) return message;
  throw invalidArgument("request", `is not a message of ${method.replace(/^\//, "")}: it cannot be decoded`);
}

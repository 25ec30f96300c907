import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { invalidArgument, messageOf, ZorError } from "../errors.js";
import { descriptors } from "./descriptors.js";

/** Canonical proto3 JSON of serialised bytes of a message type ("zor.v1.Instance"). */
export function bytesToJson(typeName: string, bytes: Uint8Array): JsonValue {
  const { registry } = descriptors();
  return toJson(messageType(typeName), fromBinary(messageType(typeName), bytes), { registry });
}

/** Serialises proto3 JSON. @throws {ZorError} INVALID_ARGUMENT that says what does not fit the type. */
export function jsonToBytes(typeName: string, json: JsonValue): Uint8Array {
  const { registry } = descriptors();
  const type = messageType(typeName);
  try {
    return toBinary(type, fromJson(type, json, { registry }));
  } catch (error) {
    throw invalidArgument(typeName, messageOf(error));
  }
}

function messageType(typeName: string): DescMessage {
  const type = descriptors().registry.getMessage(typeName);
  if (type !== undefined) return type;
  throw new ZorError({
    reason: "UNKNOWN_TYPE",
    code: status.NOT_FOUND,
    message: `there is no message type ${typeName}`,
  });
}

import { bytesToJson, jsonToBytes } from "../../../lib/grpc/json.js";
import { codecOf } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { type Assignment, assign, type MessageJson, parseAssignment } from "../../kit/input/fields.js";

/** Parses "spec.limit=5" texts for a kind. @param where the option or argument, for errors. */
export function parseFieldsOf(kind: Kind, where: string, texts: readonly string[]): Assignment[] {
  return texts.map((text) => parseAssignment(text, { type: kind.type, called: kind.singular, where }));
}

/**
 * A resource with fields assigned by "spec.limit=5" texts. @param partial as much of it as is said, in the form of ts-proto.
 * @throws {ZorError} INVALID_ARGUMENT for texts that do not fit the kind.
 */
export function withFields(kind: Kind, partial: object, where: string, texts: readonly string[]): object {
  if (texts.length === 0) return partial;
  const codec = codecOf(kind.singular);
  const bytes = codec.encode(codec.fromPartial(partial)).finish();
  // Messages of kinds are JSON objects.
  const json = bytesToJson(kind.type, bytes) as MessageJson;
  for (const each of parseFieldsOf(kind, where, texts)) assign(json, each);
  return codec.decode(jsonToBytes(kind.type, json));
}

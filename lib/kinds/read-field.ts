import { invalidArgument } from "../errors.js";

/**
 * The resource name at a path of a request: "parent", "lan.name", or "open.name" where `open` is one of a choice (oneof), as in the first
 * message of a stream. @param missing what to say of a message on the way that is not there. @throws {ZorError} INVALID_ARGUMENT for one.
 */
export function readField(request: object, path: string, missing = "must be given"): string {
  const segments = path.split(".");
  let at: unknown = request;
  for (const [index, segment] of segments.entries()) {
    const next = fieldOf(at, segment);
    if (next === undefined && index < segments.length - 1) {
      throw invalidArgument(segments.slice(0, index + 1).join("."), missing);
    }
    at = next;
  }
  return typeof at === "string" ? at : "";
}

/** The field of that proto name, in the form of ts-proto. */
function fieldOf(message: unknown, segment: string): unknown {
  if (typeof message !== "object" || message === null) return undefined;
  const key = segment.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  // Messages of ts-proto are plain objects with their fields as properties.
  const fields = message as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(fields, key)) return fields[key];
  const choice = Object.values(fields).find((value) => isChoice(value) && value.$case === key);
  return isChoice(choice) ? choice.value : undefined;
}

function isChoice(value: unknown): value is { readonly $case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && "$case" in value;
}

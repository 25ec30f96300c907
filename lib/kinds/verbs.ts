import { type AnyMethod, findService } from "./codecs.js";
import { findRule, type MethodRule, methodsOf } from "./kinds.js";

/** A method that does to resources of a kind what its name says, whatever the kind. */
export interface StandardMethod {
  readonly method: AnyMethod;
  readonly rule: MethodRule;
}

/** Verbs that mean the same for every kind. */
export type StandardVerb = Exclude<MethodRule["verb"], "custom">;

/** The method that lists, gets, creates, updates or deletes resources of a kind; undefined: there is none. */
export function findStandardMethod(kind: string, verb: StandardVerb): StandardMethod | undefined {
  for (const path of methodsOf(kind, verb)) {
    const rule = findRule(path);
    const [, service = ""] = path.split("/");
    const method = Object.values(findService(service) ?? {}).find((each) => each.path === path);
    if (rule !== undefined && method !== undefined) return { method, rule };
  }
  return undefined;
}

/** A request of a method with the fields that are given; all others have their defaults, which the codecs do not take as missing. */
export function requestOf(method: AnyMethod, fields: Readonly<Record<string, unknown>>): object {
  // Every message is an object.
  return { ...(method.requestDeserialize(Buffer.alloc(0)) as object), ...fields };
}

/** What a field of a response holds, by ts-proto's name; undefined: nothing, or there is no such field. */
export function responseField(response: unknown, field: string | undefined): unknown {
  return typeof response === "object" && response !== null && field !== undefined
    ? Reflect.get(response, field)
    : undefined;
}

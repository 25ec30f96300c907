import { findKindBySingular, livesOnHosts } from "../../lib/kinds/kinds.js";
import { type AnyResource, type KnownResource, unpack } from "../../lib/kinds/resource.js";
import { type ByteText, encode } from "../../lib/watch/kept.js";
import type { Any } from "../../proto/gen/google/protobuf/any.js";
import { isId, parseHost, parseLink, parseName, parseOnHost } from "../../lib/names.js";

/** Largest encoded resource in bytes. A lan tells of all its ports. */
const [maxBytes, maxLanBytes] = [256 * 1024, 2 * 1024 * 1024];
/** Longest text; those of people and guests are far shorter. */
const maxTextLength = 64 * 1024;
/** Events are kept: all texts of them are short but what they say to people. */
const eventType = /^[a-z][a-z0-9-]{0,63}\.[a-z][a-z0-9_-]{0,63}$/;
const maxCallerLength = 512;
/** Deeper than any message of the API; those from the wire have no circles. */
const maxDepth = 24;

/**
 * Why what an agent says of a resource is not to be believed; undefined: it may be. An agent speaks for its own host only, under names
 * and with references that people could write too, and in values that can be written down again: what it says is shown to everybody and
 * passed on to tools.
 */
export function findLie(host: string, resource: AnyResource): string | undefined {
  const judged = judge(host, resource);
  return "lie" in judged ? judged.lie : undefined;
}

/** Like {@link findLie}; of what may be believed it gives the bytes as this program writes them, which were measured for it. */
export function judge(host: string, resource: AnyResource): { readonly lie: string } | { readonly encoded: ByteText } {
  // Values first: a time that is none cannot even be written down to be measured.
  const unreadable = findBadName(host, resource) ?? findBadValue(resource.value);
  if (unreadable !== undefined) return { lie: unreadable };
  const encoded = encode(resource.kind, resource.value);
  const lie = findBadSize(resource, encoded.length) ?? findBadReference(host, resource);
  return lie === undefined ? { encoded } : { lie };
}

/** Like {@link findLie}, of a resource that an agent says is gone. */
export function findLieOfRemoval(host: string, kind: string, name: string): string | undefined {
  const collection = collectionOf(kind);
  if (collection === undefined) return "it removes a kind of resource that does not live on hosts";
  return wrong(() => parseOnHost("name", name, collection).host !== host);
}

/** Whether an answer to a routed call speaks of the host that was asked; why not. */
export function findLieInAnswer(host: string, answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  for (const [field, value] of Object.entries(answer)) {
    if (!isResourceField(field) || typeof value !== "object" || value === null) continue;
    // The fields of answers that are called like a resource hold one.
    const lie = findLie(host, named(host, { kind: field, value: value as AnyResource["value"] }));
    if (lie !== undefined) return lie;
  }
  return undefined;
}

/** The operation of a request that was only checked does not exist and has no name; all else of it is judged. */
function named(host: string, answer: AnyResource): AnyResource {
  if (answer.kind !== "operation" || answer.value.name !== "") return answer;
  const value: AnyResource["value"] = { ...answer.value, name: `hosts/${host}/operations/checked` };
  return { kind: answer.kind, value };
}

function isResourceField(field: string): boolean {
  return field === "host" || collectionOf(field) !== undefined;
}

/** Collection of names of a kind that lives on hosts. */
function collectionOf(kind: string): string | undefined {
  const known = findKindBySingular(kind);
  return known !== undefined && livesOnHosts(known) ? known.plural : undefined;
}

function findBadName(host: string, resource: AnyResource): string | undefined {
  const { name } = resource.value;
  if (resource.kind === "host") return wrong(() => parseHost("name", name) !== host);
  const collection = collectionOf(resource.kind);
  if (collection === undefined) return `${findKindBySingular(resource.kind)?.plural ?? "these"} are the hub's`;
  return wrong(() => parseOnHost("name", name, collection).host !== host);
}

/** What is wrong with a name; undefined when it can be parsed and the check is false. */
function wrong(isOther: () => boolean): string | undefined {
  try {
    return isOther() ? "its name is of another host" : undefined;
  } catch {
    return "its name is not one of this kind";
  }
}

function findBadSize(resource: AnyResource, bytes: number): string | undefined {
  const limit = resource.kind === "lan" ? maxLanBytes : maxBytes;
  return bytes > limit ? `it has ${bytes} bytes, more than the ${limit} of its kind` : undefined;
}

/** Bytes of a resource as it is sent. */
export function sizeOf({ kind, value }: AnyResource): number {
  return encode(kind, value).length;
}

/** What is wrong with a value: what a reader of JSON, a filter or a table would stumble over. */
export function findBadValue(value: unknown, depth = 0): string | undefined {
  if (depth > maxDepth) return "it is nested too deeply";
  if (typeof value === "string") return value.length > maxTextLength ? "one of its texts is too long" : undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "one of its numbers is none";
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "one of its times is none" : undefined;
  const inside: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const each of inside) {
    // Nearly all are short texts, and this is done for everything that agents tell.
    if (typeof each === "string" && each.length <= maxTextLength) continue;
    const bad = findBadValue(each, depth + 1);
    if (bad !== undefined) return bad;
  }
  return undefined;
}

function findBadReference(host: string, told: AnyResource): string | undefined {
  const resource = told as KnownResource;
  switch (resource.kind) {
    case "instance": {
      const { spec, status } = resource.value;
      const nics = [...(spec?.nics ?? []), ...(status?.nics ?? [])];
      if (nics.some(({ name, lan }) => !isId(name) || (lan !== "" && !isId(lan))))
        return "one of its NICs has a bad name or lan";
      return undefined;
    }
    case "lan":
      return resource.value.status?.ports.every(({ endpoint }) => isPluggedThere(host, endpoint)) === false
        ? "what is plugged into it is not of its host"
        : undefined;
    case "a2b": {
      const { spec } = resource.value;
      return spec === undefined || (isId(spec.lanA) && isId(spec.lanB)) ? undefined : "one of its lans has a bad name";
    }
    case "wire": {
      const { spec } = resource.value;
      const ends = [spec?.a ?? "", spec?.b ?? ""].filter((end) => end !== "");
      return ends.every((end) => isOwn(host, end)) ? undefined : "one of its ends is not of its host";
    }
    case "operation": {
      const { target, result } = resource.value;
      if (!isOwn(host, target)) return "its target is not of its host";
      return result === undefined ? undefined : findBadResult(host, result);
    }
    case "event": {
      const { type, caller, resource: about } = resource.value;
      if (!eventType.test(type)) return "its type is none";
      if (caller.length > maxCallerLength) return "its caller is none";
      return isOwnOrLink(host, about) ? undefined : "it is about something of another host";
    }
    default:
      return undefined;
  }
}

/** What an operation has made is shown as what it is, so it is judged as that. */
function findBadResult(host: string, packed: Any): string | undefined {
  try {
    const result = unpack(packed);
    // A newer agent may have made something of a kind that this hub does not know.
    if (result === undefined) return undefined;
    const lie = result.kind === "operation" ? "operations make no operations" : findLie(host, result);
    return lie === undefined ? undefined : `its result is not to be believed: ${lie}`;
  } catch {
    return "its result is not the message that it says it is";
  }
}

/** A name of the host or of something on it. */
function isOwn(host: string, name: string): boolean {
  try {
    const parsed = parseName("name", name);
    return parsed.kind !== "hub" && parsed.host === host;
  } catch {
    return false;
  }
}

/**
 * What may be plugged into a lan: besides what there is of a host and links, what an agent plugs in for a while on behalf of something
 * of its own, as when somebody reaches into an instance by its lan.
 */
function isPluggedThere(host: string, endpoint: string): boolean {
  if (isOwnOrLink(host, endpoint)) return true;
  const parts = endpoint.split("/");
  const [, , collection = ""] = parts;
  return isOwn(host, parts.slice(0, 4).join("/")) && collection !== "" && parts.length % 2 === 0 && parts.every(isId);
}

/** Links end in lans, and hosts tell of their ends. */
function isOwnOrLink(host: string, name: string): boolean {
  if (isOwn(host, name)) return true;
  try {
    parseLink("name", name);
    return true;
  } catch {
    return false;
  }
}

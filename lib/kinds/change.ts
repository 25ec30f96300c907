import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../errors.js";
import { quote } from "../names.js";
import { listed } from "../words.js";
import type { Codec, ResourceMeta } from "./codecs.js";

/** A change of a resource that was asked for. */
export interface UpdateRequest<T extends ResourceMeta> {
  readonly codec: Codec<T>;
  /** As it is. */
  readonly before: T;
  /** Identity of the caller who made it so. */
  readonly changedBy: string;
  /** As the request has it; only what the mask names counts, and its etag. */
  readonly wanted: T;
  /** Paths as in proto files ("labels", "labels.site", "spec.a_to_b"); none: everything that can be changed. */
  readonly mask: readonly string[] | undefined;
  /** Paths of the fields that can be changed; a mask may also name parts of them. */
  readonly changeable: readonly string[];
}

/** What every kind lets people change. */
export const changeableFields = ["labels", "annotations", "spec"] as const;

/**
 * The resource as an update leaves it: what the mask names is taken from what is wanted, all else stays. When that makes a
 * difference it has a new etag and update time; when not, it is `before` itself.
 * @throws {ZorError} ABORTED with reason ETAG_MISMATCH when the request has another etag than the resource, INVALID_ARGUMENT for a bad mask.
 */
export function applyUpdate<T extends ResourceMeta>(request: UpdateRequest<T>, now: Date): T {
  const { codec, before, wanted, changedBy, changeable } = request;
  checkEtag(before, wanted.etag, changedBy);
  const paths = request.mask === undefined || request.mask.length === 0 ? changeable : request.mask;
  let after = asFields(before);
  for (const path of paths) {
    checkPath(path, changeable);
    after = take(after, asFields(wanted), { path, segments: segmentsOf(path) });
  }
  const changed = codec.fromPartial(after);
  // As objects: the order of labels is none.
  if (isDeepStrictEqual(changed, codec.fromPartial(before))) return before;
  return codec.fromPartial({ ...changed, etag: newEtag(), updateTime: now });
}

/** Checks the etag of a request, which may be empty. @throws {ZorError} ABORTED with reason ETAG_MISMATCH that says who changed the resource, and when. */
export function checkEtag(before: ResourceMeta, etag: string, changedBy: string): void {
  if (etag === "" || etag === before.etag) return;
  const changeTime = (before.updateTime ?? before.createTime)?.toISOString() ?? "";
  const by = changedBy === "" ? "" : ` by ${changedBy}`;
  const at = changeTime === "" ? "" : ` at ${changeTime}`;
  throw new ZorError({
    reason: "ETAG_MISMATCH",
    code: status.ABORTED,
    message: `${before.name} was changed${by}${at}, after you looked at it: look again, and repeat your change if it still fits`,
    resource: before.name,
    metadata: { changedBy, changeTime, etag: before.etag },
  });
}

/** An etag that no resource had before. */
export function newEtag(): string {
  return randomBytes(8).toString("hex");
}

type Fields = Readonly<Record<string, unknown>>;

interface MaskPath {
  /** As it was given, for errors. */
  readonly path: string;
  /** What is left of it. */
  readonly segments: readonly string[];
}

// Messages of ts-proto are plain objects with their fields as properties.
function asFields(message: object): Fields {
  return message as Fields;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function checkPath(path: string, changeable: readonly string[]): void {
  if (changeable.some((each) => path === each || path.startsWith(`${each}.`))) return;
  const known = listed(changeable.map((each) => `"${each}"`));
  throw invalidArgument("update_mask", `${quote(path)} cannot be changed; what can be changed is ${known}`);
}

const maps: ReadonlySet<string> = new Set(["labels", "annotations"]);

/** Keys of labels and annotations may hold dots. */
function segmentsOf(path: string): string[] {
  const [first = "", ...rest] = path.split(".");
  return maps.has(first) && rest.length > 0 ? [first, rest.join(".")] : [first, ...rest];
}

/** `into` with the field of that path as it is in `from`. */
function take(into: Fields, from: Fields, { path, segments }: MaskPath): Fields {
  const [segment = "", ...rest] = segments;
  const field = camelCase(segment);
  const isField = Object.hasOwn(into, field) || Object.hasOwn(from, field);
  const key = isField ? field : choiceOf([from, into], field);
  if (key === undefined) throw invalidArgument("update_mask", `${quote(path)} is not a field`);
  const [old, wanted] = [into[key], from[key]];
  // Of something that is not there at all, a part is the whole.
  if (rest.length === 0 || !isFields(old)) return { ...into, [key]: wanted };
  const [next] = rest;
  if (maps.has(segment) && next !== undefined) return { ...into, [key]: takeEntry(old, wanted, next) };
  if (!isField) return { ...into, [key]: takeOfChoice(old, wanted, { path, segments: rest }) };
  return { ...into, [key]: take(old, isFields(wanted) ? wanted : blank(old), { path, segments: rest }) };
}

function takeEntry(into: Fields, from: unknown, key: string): Fields {
  const { [key]: _, ...others } = into;
  return isFields(from) && Object.hasOwn(from, key) ? { ...others, [key]: from[key] } : others;
}

/** A choice (oneof) has the form { $case, value }. */
function takeOfChoice(old: Fields, wanted: unknown, path: MaskPath): unknown {
  const { $case, value } = old;
  if (!isFields(wanted) || wanted["$case"] !== $case || !isFields(wanted["value"]) || !isFields(value)) return wanted;
  return { ...old, value: take(value, wanted["value"], path) };
}

/** The property that holds the choice of which the field is a member. */
function choiceOf(messages: readonly Fields[], field: string): string | undefined {
  return messages
    .flatMap((message) => Object.entries(message))
    .find(([, value]) => isFields(value) && value["$case"] === field)?.[0];
}

/** A message of the same fields with nothing set. */
function blank(message: Fields): Fields {
  return Object.fromEntries(Object.keys(message).map((key) => [key, undefined]));
}

function camelCase(segment: string): string {
  return segment.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

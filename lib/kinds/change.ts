import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";
import { type Codec, kindOfCodec, type ResourceMeta } from "./codecs.js";
import { applyMask } from "./mask.js";

/** A change of a resource that was asked for. */
export interface UpdateRequest<T extends ResourceMeta> {
  readonly codec: Codec<T>;
  /** As it is. */
  readonly before: T;
  /** Identity of the caller who made it so. */
  readonly changedBy: string;
  /** As the request has it; only what the mask names counts, and its etag. */
  readonly wanted: T;
  /** Paths as `applyMask` takes them ("labels", "labels.site", "spec.a_to_b"); none: everything that can be changed. */
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
  const { codec, before, wanted, mask, changedBy, changeable } = request;
  checkEtag(before, wanted.etag, changedBy);
  const changed = applyMask({ kind: kindOfCodec(codec), current: before, wanted, mask, changeable });
  // As objects: the order of labels is none.
  if (isDeepStrictEqual(changed, codec.fromPartial(before))) return before;
  return codec.fromPartial({ ...changed, etag: newEtag(), updateTime: now });
}

const mostTold = 10;

interface ToJson<T> {
  readonly toJSON: (message: T) => unknown;
}

/**
 * Which fields of a resource a change has made others, for people: "spec.mtu, labels". Their values are not told: one may be a secret.
 */
export function changedFields<T>(codec: ToJson<T>, before: T, after: T): string {
  const [left, right] = [toFields(codec.toJSON(before)), toFields(codec.toJSON(after))];
  const fields = ["spec", "labels", "annotations", "addresses", "underlayAddresses", "undialable"].flatMap((name) => {
    const paths = differences(toFields(left[name]), toFields(right[name])).map((key) => `${name}.${key}`);
    if (isDeepStrictEqual(left[name], right[name])) return [];
    return name === "spec" && paths.length > 0 ? paths : [name];
  });
  const shown = fields.map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  const more = shown.length > mostTold ? [`${shown.length - mostTold} more`] : [];
  return [...shown.slice(0, mostTold), ...more].join(", ");
}

function differences(left: Fields, right: Fields): string[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys.filter((key) => !isDeepStrictEqual(left[key], right[key]));
}

type Fields = Readonly<Record<string, unknown>>;

function toFields(json: unknown): Fields {
  // JSON of a message is an object, of a map too.
  return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Fields) : {};
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

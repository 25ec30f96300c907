import { randomUUID } from "node:crypto";
import { type FieldViolation, invalidArgument, invalidFields } from "../../lib/errors.js";
import { applyUpdate, changeableFields, newEtag } from "../../lib/kinds/change.js";
import { codecOf } from "../../lib/kinds/codecs.js";
import { checkAnnotations, checkLabels } from "../../lib/labels.js";
import type { HostResource, Whole } from "./kind.js";
import type { Phase, StoredSpec } from "./stored-spec.js";

/** What is wrong with what people may say of any resource; field paths begin with its kind's singular. */
export function checkMetadata(
  kind: string,
  { labels, annotations }: Pick<HostResource, "labels" | "annotations">,
): readonly FieldViolation[] {
  return [...checkLabels(`${kind}.labels`, labels), ...checkAnnotations(`${kind}.annotations`, annotations)];
}

/** What a new resource is made of. */
export interface NewResource<R extends HostResource> {
  readonly id: string;
  readonly name: string;
  /** Default: a new one. */
  readonly uid?: string;
  readonly spec: NonNullable<R["spec"]>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly caller: string;
  readonly now: Date;
  readonly phase: Phase;
}

/** What is stored of a new resource. */
export function newStored<R extends HostResource>(wanted: NewResource<R>): StoredSpec<R> {
  const { id, name, uid = randomUUID(), spec, labels, annotations, caller, now, phase } = wanted;
  const meta = { name, uid, etag: newEtag(), createTime: now, updateTime: now };
  const people = { labels: { ...labels }, annotations: { ...annotations } };
  // These are all the fields that a resource of a host has.
  const resource = { ...meta, ...people, spec, status: undefined } as unknown as Whole<R>;
  return { id, resource, changedBy: caller, generation: newEtag(), phase };
}

/** What an update asks for. */
export interface AskedUpdate<R extends HostResource> {
  readonly wanted: R;
  readonly mask: readonly string[] | undefined;
}

/**
 * The resource as an update leaves it, with labels and annotations checked; the same object when nothing changes.
 * @param options.changeable fields that can be changed; a specification that is none of them may be given only as it is.
 * @throws {ZorError} ABORTED (ETAG_MISMATCH) when somebody else changed it meanwhile; INVALID_ARGUMENT.
 */
export function updated<R extends HostResource>(
  stored: StoredSpec<R>,
  { wanted, mask }: AskedUpdate<R>,
  options: { readonly kind: string; readonly changeable: readonly string[] | undefined; readonly now: Date },
): Whole<R> {
  const { kind, changeable = changeableFields, now } = options;
  const before = stored.resource;
  const isWhole = mask === undefined || mask.length === 0;
  if (isWhole && !changeable.includes("spec")) refuseOtherSpec(kind, before, wanted);
  const after = applyUpdate(
    {
      // The codec of the kind is that of its message.
      ...{ codec: codecOf(kind) as never, before, changedBy: stored.changedBy, wanted, mask, changeable },
    },
    now,
  ) as Whole<R>;
  if (after === before) return before;
  // The type is a promise of what is kept: a request may leave the specification out.
  if ((after.spec as unknown) === undefined) {
    throw invalidArgument(
      `${kind}.spec`,
      "must be set; to change something else alone, name it in update_mask",
      before.name,
    );
  }
  const violations = checkMetadata(kind, after);
  if (violations.length > 0) throw invalidFields(violations, before.name);
  return after;
}

/** What is stored after the kind itself has changed a specification. */
export function changedSpec<R extends HostResource>(
  stored: StoredSpec<R>,
  spec: NonNullable<R["spec"]>,
  { caller, now }: { readonly caller: string; readonly now: Date },
): StoredSpec<R> {
  const resource = { ...stored.resource, spec, etag: newEtag(), updateTime: now };
  return { ...stored, resource, changedBy: caller, generation: newEtag() };
}

/** Whether two resources of a kind have the same specification. */
export function isSameSpec<R extends HostResource>(kind: string, left: Whole<R>, right: Whole<R>): boolean {
  const codec = codecOf(kind);
  const bytesOf = ({ spec }: Whole<R>) => codec.encode(codec.fromPartial({ spec })).finish();
  return Buffer.compare(bytesOf(left), bytesOf(right)) === 0;
}

/** @throws {ZorError} INVALID_ARGUMENT that names the fields in which a specification differs that cannot be changed. */
function refuseOtherSpec<R extends HostResource>(kind: string, before: Whole<R>, wanted: R): void {
  if (wanted.spec === undefined) return;
  const fields = differences(specJson(kind, before), specJson(kind, wanted));
  if (fields.length === 0) return;
  const description = "cannot be changed; what can be changed is labels and annotations";
  throw invalidFields(
    fields.map((field) => ({ field: `${kind}.spec.${field}`, description })),
    before.name,
  );
}

function specJson(kind: string, { spec }: HostResource): Readonly<Record<string, unknown>> {
  const codec = codecOf(kind);
  const json = codec.toJSON(codec.fromPartial({ spec })) as { readonly spec?: Readonly<Record<string, unknown>> };
  return json.spec ?? {};
}

/** Proto names of the fields in which two messages differ. */
function differences(left: Readonly<Record<string, unknown>>, right: Readonly<Record<string, unknown>>): string[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys
    .filter((key) => JSON.stringify(left[key]) !== JSON.stringify(right[key]))
    .map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

import { failedPrecondition, type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { agreeing, listed } from "../../../lib/words.js";
import { VolumeSpec } from "../../../proto/gen/zor/v1/volume.js";
import type { AgentContext } from "../../parts.js";
import type { UsablePool } from "../../storage/pools.js";
import { assertNoSnapshots } from "../../storage/volume-snapshots.js";
import type { MadeVolume } from "./volume-facts.js";

/** Largest volume. */
export const maxSizeMib = 16n * 1024n * 1024n;
const maxDescription = 1024;
const defaultPool = "default";

/** A wanted specification with the defaults that follow from it alone, and what is wrong with it; pure. */
export function checkVolumeSpec(wanted: VolumeSpec | undefined): {
  readonly spec: VolumeSpec;
  readonly violations: readonly FieldViolation[];
} {
  const given = wanted ?? VolumeSpec.fromPartial({});
  const spec = { ...given, pool: given.pool === "" ? defaultPool : given.pool };
  const violations: FieldViolation[] = [];
  const wrong = (field: string, description: string): void =>
    void violations.push({ field: `volume.spec.${field}`, description });
  if (!isId(spec.pool)) wrong("pool", `${quote(spec.pool)} is not the id of a pool such as "default"`);
  // 0: as its image, which is looked at later.
  const leastMib = spec.image === "" ? 1n : 0n;
  if (spec.sizeMib < leastMib || spec.sizeMib > maxSizeMib)
    wrong("size_mib", `${spec.sizeMib} is not between ${leastMib} and ${maxSizeMib}`);
  if (!["", "qcow2", "raw"].includes(spec.format))
    wrong("format", `${quote(spec.format)} is not known; it can be "qcow2" or "raw"`);
  if (spec.description.length > maxDescription) wrong("description", `is longer than ${maxDescription} characters`);
  return { spec, violations };
}

/** What cannot be changed of a volume; pure. */
export function checkVolumeChange(before: VolumeSpec, after: VolumeSpec): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  const wrong = (field: string, description: string): void =>
    void violations.push({ field: `volume.spec.${field}`, description });
  if (after.pool !== before.pool) wrong("pool", "cannot be changed so; a volume is moved with: zor volume move");
  if (after.image !== before.image) wrong("image", "cannot be changed; make another volume");
  if (after.format !== before.format) wrong("format", "cannot be changed; make another volume");
  if (after.sizeMib < before.sizeMib)
    wrong("size_mib", `${after.sizeMib} is smaller than the ${before.sizeMib} MiB that it has: volumes grow only`);
  return violations;
}

/** A specification with the format that it has in its pool. @throws {ZorError} when it cannot be of that there. */
export function withFormat(spec: VolumeSpec, { backend, pool }: UsablePool, name: string): VolumeSpec {
  const [usual] = backend.formats;
  const format = backend.formats.find((each) => each === (spec.format === "" ? usual : spec.format));
  if (format !== undefined) return { ...spec, format };
  const description = `cannot be ${spec.format} in ${pool.name}; it can be ${listed(backend.formats, undefined, "or")}`;
  throw invalidFields([{ field: "volume.spec.format", description }], name);
}

/** @throws {ZorError} FAILED_PRECONDITION while an instance has it, a snapshot is kept in it, or it is not made yet. */
export function assertUnused(
  { holders, references }: Pick<AgentContext, "holders" | "references">,
  { id, resource: { name }, facts, isDoomed }: MadeVolume,
): void {
  if (facts === undefined && !isDoomed) throw notWhole(name);
  assertNoSnapshots(references, { volume: id, what: "deleted" });
  const users = [...new Set([...holders.of(id).map(({ instance }) => instance), ...references.usersOf("volume", id)])];
  if (users.length === 0) return;
  const remedy = `take it away from ${agreeing(users.length, "it", "them")} first, with: zor volume detach`;
  throw failedPrecondition("VOLUME_IN_USE", name, `${name} is in use by ${listed(users, 3)}; ${remedy}`);
}

/** @param what is being done to it: "moved"; undefined: nothing. @throws {ZorError} FAILED_PRECONDITION */
export function assertIdle({ resource: { name } }: Pick<MadeVolume, "resource">, what: string | undefined): void {
  if (what === undefined) return;
  throw failedPrecondition("VOLUME_BUSY", name, `${name} is being ${what}; try again when that has ended`);
}

/** For one that cannot be worked with. */
export function notWhole(name: string): Error {
  return failedPrecondition("VOLUME_NOT_READY", name, `${name} is being made or deleted; wait until that has ended`);
}

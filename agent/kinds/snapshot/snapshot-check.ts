import { failedPrecondition, type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { isId } from "../../../lib/names.js";
import type { Snapshot, SnapshotSpec } from "../../../proto/gen/zor/v1/snapshot.js";
import type { Snapshottable } from "../../drivers/abilities/snapshots.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { checkMetadata } from "../../kit/metadata.js";

const maxDescription = 1024;

/** An instance with the ability of its driver. @throws {ZorError} FAILED_PRECONDITION when that keeps no snapshots. */
export function withAbility(subject: InstanceSubject): {
  readonly subject: InstanceSubject;
  readonly ability: Snapshottable;
} {
  const ability = subject.driver.can.snapshot;
  if (ability !== undefined) return { subject, ability };
  const { name } = subject.resource;
  const { kind } = subject.driver;
  throw failedPrecondition("UNSUPPORTED", name, `${name} is of kind ${kind}, which keeps no snapshots`);
}

/** What a new snapshot is to be. @throws {ZorError} INVALID_ARGUMENT */
export function checkedSpec(wanted: Snapshot, name: string): SnapshotSpec {
  const spec = wanted.spec ?? {
    instance: "",
    description: "",
    memory: false,
    parent: "",
    instanceUid: "",
    schedule: "",
  };
  const instance: FieldViolation[] = isId(spec.instance)
    ? []
    : [{ field: "snapshot.spec.instance", description: "must be the id of an instance of this host" }];
  refuse([...checkMetadata("snapshot", wanted), ...instance, ...checkDescription(spec)], name);
  return spec;
}

/** What is wrong with what is said of a snapshot. */
export function checkDescription({ description }: SnapshotSpec): readonly FieldViolation[] {
  const field = "snapshot.spec.description";
  if (description.length > maxDescription) {
    return [{ field, description: `has ${description.length} characters, more than ${maxDescription}` }];
  }
  return /^[^\p{Cc}]*$/u.test(description) ? [] : [{ field, description: "has control characters" }];
}

/** @throws {ZorError} INVALID_ARGUMENT when anything is wrong. */
export function refuse(violations: readonly FieldViolation[], name: string): void {
  if (violations.length > 0) throw invalidFields(violations, name);
}

/** For one that is neither whole nor being deleted by whoever asks. */
export function notWhole(name: string): Error {
  return failedPrecondition("SNAPSHOT_NOT_READY", name, `${name} is being taken or deleted; wait for that`);
}

import { failedPrecondition, type FieldViolation, invalidFields } from "../../../lib/errors.js";
import type { BackupSpec } from "../../../proto/gen/zor/v1/backup.js";
import type { BackedUp } from "../../drivers/abilities/backups.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";

const maxDescription = 1024;

/** An instance with the ability of its driver. @throws {ZorError} FAILED_PRECONDITION when that takes no backups. */
export function withAbility(subject: InstanceSubject): {
  readonly subject: InstanceSubject;
  readonly ability: BackedUp;
} {
  const ability = subject.driver.can.backup;
  if (ability !== undefined) return { subject, ability };
  const { name } = subject.resource;
  const { kind } = subject.driver;
  throw failedPrecondition(
    "UNSUPPORTED",
    name,
    `${name} is of kind ${kind}, which cannot be backed up; save it as an image`,
  );
}

/** What is wrong with what is said of a backup. */
export function checkDescription({ description }: BackupSpec): FieldViolation[] {
  const field = "backup.spec.description";
  if (description.length > maxDescription) {
    return [{ field, description: `has ${description.length} characters, more than ${maxDescription}` }];
  }
  return /^[^\p{Cc}]*$/u.test(description) ? [] : [{ field, description: "has control characters" }];
}

/** @throws {ZorError} INVALID_ARGUMENT when anything is wrong. */
export function refuse(violations: readonly FieldViolation[], name: string): void {
  if (violations.length > 0) throw invalidFields(violations, name);
}

/** For one that cannot be worked with. */
export function notWhole(name: string): Error {
  return failedPrecondition(
    "BACKUP_NOT_READY",
    name,
    `${name} is being taken or deleted, or is not whole; look at it with: zor describe`,
  );
}

/** For an instance that must not run. */
export function running(name: string): Error {
  const message = `${name} is running; stop it first, or say --force, which ends it as if its power were cut`;
  return failedPrecondition("INSTANCE_RUNNING", name, message);
}

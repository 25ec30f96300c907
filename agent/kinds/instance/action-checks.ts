import { failedPrecondition, type ZorError } from "../../../lib/errors.js";
import type { HasKeyboard } from "../../drivers/abilities/keyboard.js";
import type { Pausable, RecoveryHandle, Resettable, Shutdownable } from "../../drivers/driver.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { type InstanceRecord, isWaiting } from "./record.js";

/** @throws {ZorError} FAILED_PRECONDITION unless the instance runs; resolves to its handle. `action` completes "so it cannot …". */
export function runningHandle(record: InstanceRecord, action: string): RecoveryHandle {
  if (record.handle !== undefined) return record.handle;
  const { name } = record.stored.resource;
  throw failedPrecondition(
    "INSTANCE_NOT_RUNNING",
    name,
    `${name} does not run, so it cannot ${action}; start it first`,
  );
}

/** @throws {ZorError} FAILED_PRECONDITION if the instance cannot be started now. */
export function checkStart(record: InstanceRecord): void {
  const { name } = record.stored.resource;
  if (record.specLost) {
    throw specLost(record, "be started");
  }
  if (record.handle !== undefined) {
    throw failedPrecondition("INSTANCE_RUNNING", name, `${name} is running already; stop or reset it instead`);
  }
}

/** @throws {ZorError} FAILED_PRECONDITION if the instance neither runs nor waits to be started; resolves to its handle, undefined when it waits. */
export function checkStop(record: InstanceRecord): RecoveryHandle | undefined {
  return isWaiting(record) || (record.handle === undefined && record.suspended !== undefined)
    ? undefined
    : runningHandle(record, "be stopped");
}

/** What an action needs of a running instance. */
interface Ready<Ability> {
  readonly ability: Ability;
  readonly handle: RecoveryHandle;
}

/** @throws {ZorError} FAILED_PRECONDITION unless the instance is running and its driver can pause. */
export function checkPause(record: InstanceRecord): Ready<Pausable> {
  const handle = runningHandle(record, "be paused");
  const ability = record.driver.can.pause;
  if (ability === undefined) throw unsupported(record, "be paused");
  assertState(record, "running", "be paused");
  return { ability, handle };
}

/** @throws {ZorError} FAILED_PRECONDITION unless the instance is paused. */
export function checkResume(record: InstanceRecord): Ready<Pausable> {
  const handle = runningHandle(record, "be resumed");
  const ability = record.driver.can.pause;
  if (ability === undefined) throw unsupported(record, "be resumed");
  assertState(record, "paused", "be resumed");
  return { ability, handle };
}

/** @throws {ZorError} FAILED_PRECONDITION unless the instance runs and its driver can reset. */
export function checkReset(record: InstanceRecord): Ready<Resettable> {
  const handle = runningHandle(record, "be reset");
  const ability = record.driver.can.reset;
  if (ability === undefined) throw unsupported(record, "be reset");
  return { ability, handle };
}

/** @throws {ZorError} FAILED_PRECONDITION unless the instance is running and its guest can be asked. */
export function checkShutdown(record: InstanceRecord): Ready<Shutdownable> {
  const handle = runningHandle(record, "shut down");
  const ability = record.driver.can.shutdown;
  if (ability === undefined) throw unsupported(record, "be asked to shut down, only stopped");
  assertState(record, "running", "shut down");
  return { ability, handle };
}

/** @throws {ZorError} FAILED_PRECONDITION unless the instance is running and has a keyboard. */
export function checkSendKeys(record: InstanceRecord): Ready<HasKeyboard> {
  const handle = runningHandle(record, "be typed to");
  const ability = record.driver.can.keyboard;
  if (ability === undefined) throw unsupported(record, "be typed to: it has no keyboard, only a console");
  assertState(record, "running", "be typed to");
  return { ability, handle };
}

/** FAILED_PRECONDITION for what needs the specification of an instance that has lost it. */
export function specLost(record: InstanceRecord, action: string): ZorError {
  const { name } = record.stored.resource;
  return failedPrecondition("SPEC_LOST", name, `${name} cannot ${action}: ${record.observation.reason}`);
}

/** FAILED_PRECONDITION for something a kind of instance cannot do. */
export function unsupported(record: InstanceRecord, action: string): ZorError {
  const { name } = record.stored.resource;
  return failedPrecondition("UNSUPPORTED", name, `${name} is of kind ${record.driver.kind}, which cannot ${action}`);
}

/** FAILED_PRECONDITION for a kind of instance whose disks nobody can look into. */
export function cannotLook({ resource, driver }: InstanceSubject): ZorError {
  const { name } = resource;
  return failedPrecondition(
    "UNSUPPORTED",
    name,
    `${name} is of kind ${driver.kind}, whose disks cannot be looked into`,
  );
}

/** @throws {ZorError} FAILED_PRECONDITION for writing to the disks of an instance that runs. */
export function assertStopped({ resource: { name }, handle }: InstanceSubject): void {
  if (handle === undefined) return;
  throw failedPrecondition(
    "INSTANCE_RUNNING",
    name,
    `${name} runs, and disks are never written to from outside meanwhile; stop it first, or use: zor cp, zor exec`,
  );
}

/** The state of an instance; why it is not known is what there is to mend. */
export function stateWords({ observation: { state, reason } }: Pick<InstanceRecord, "observation">): string {
  return state === "unknown" && reason !== "" ? `unknown (${reason})` : state;
}

function assertState(record: InstanceRecord, state: "running" | "paused", action: string): void {
  if (record.observation.state === state) return;
  const { name } = record.stored.resource;
  throw failedPrecondition(
    `INSTANCE_NOT_${state.toUpperCase()}`,
    name,
    `${name} is ${stateWords(record)}, so it cannot ${action}; it must be ${state}`,
  );
}

/** FAILED_PRECONDITION for adopting what is the agent's own already. */
export function isOwn({ stored, driver }: InstanceRecord): ZorError {
  const { name } = stored.resource;
  const how = driver.can.discover === undefined ? "was made here" : "is adopted already";
  return failedPrecondition("NOT_FOUND_HERE", name, `${name} ${how}, so there is nothing to adopt`);
}

/** @throws {ZorError} FAILED_PRECONDITION while long work keeps the instance from being changed. */
export function assertUnclaimed({ claim, stored }: InstanceRecord): void {
  if (claim === undefined) return;
  const { name } = stored.resource;
  throw failedPrecondition(
    "INSTANCE_BUSY",
    name,
    `${name} is being ${claim.what} by ${claim.operation}, so it cannot be changed now; wait for that, or cancel it`,
  );
}

/** @throws {ZorError} FAILED_PRECONDITION for work at the disks of a suspended instance: its memory fits them only as they are. */
export function assertNotSuspended({ suspended, stored }: InstanceRecord): void {
  if (suspended === undefined) return;
  const { name } = stored.resource;
  throw failedPrecondition(
    "INSTANCE_SUSPENDED",
    name,
    `${name} is suspended, and its memory fits its disks only as they are; start it, or throw its memory away with: zor stop`,
  );
}

/**
 * @throws {ZorError} FAILED_PRECONDITION for changes of interfaces while those of what runs are not known: they may be anywhere, and
 * nothing would take them out of there.
 */
export function assertNetworkKnown({ handle, network, stored }: InstanceRecord): void {
  if (handle === undefined || network !== undefined) return;
  const { name } = stored.resource;
  const message = `the interfaces of ${name} could not be restored yet, so they cannot be changed while it runs; try again when its reason is gone, or stop it first`;
  throw failedPrecondition("NO_NETWORK", name, message);
}

import type { CallOptions, DriverInstance } from "../driver-instance.js";
import type { Domain } from "./domain.js";

/** How what domains can be asked for gets at them. Errors are for clients already. */
export interface DomainAccess {
  /** The domain of an instance, as it is now. @throws {ZorError} FAILED_PRECONDITION when libvirt has it no more, UNAVAILABLE when it does not answer. */
  find(instance: DriverInstance, signal: AbortSignal): Promise<{ readonly uri: string; readonly domain: Domain }>;
  /** Runs virsh for it; `doing` completes "libvirt could not …". @throws {ZorError} */
  ask(instance: DriverInstance, doing: string, argv: readonly string[], options: CallOptions): Promise<string>;
}

import type { CallOptions, DriverInstance, RecoveryHandle } from "../driver-instance.js";

/** What is typed: keys that are pressed together, one combination after the other, or text as a US keyboard has it. */
export interface Typing {
  /** "ctrl-alt-delete". */
  readonly keys: readonly string[];
  readonly text: string;
}

/** Drivers whose instances have a keyboard. */
export interface HasKeyboard {
  /** Checks what is to be typed; pure. @throws {ZorError} INVALID_ARGUMENT that names the key, FAILED_PRECONDITION when it has no keyboard. */
  checkKeys(instance: DriverInstance, typing: Typing): void;
  /** Types it. Resolves when the last key was pressed; what the guest makes of it shows on its screen. Nothing is typed when it is refused. */
  sendKeys(instance: DriverInstance, handle: RecoveryHandle, typing: Typing, options: CallOptions): Promise<void>;
}

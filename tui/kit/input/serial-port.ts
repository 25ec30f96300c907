import { invalidArgument } from "../../../lib/errors.js";

/** Serial ports by the names that Linux has for them. */
export const serialPorts: readonly string[] = ["ttyS0", "ttyS1", "ttyS2", "ttyS3"];

/** A serial port as people name it: "1", "ttyS1", "serial1", "console1", "console". @throws {ZorError} INVALID_ARGUMENT */
export function parseSerialPort(flag: string, text: string): number {
  const [, digit] = /^(?:ttyS|ttyAMA|serial|console|port)?([0-3])$/i.exec(text) ?? [];
  if (digit !== undefined) return Number(digit);
  if (/^console$/i.test(text)) return 0;
  throw invalidArgument(flag, `${JSON.stringify(text)} is no serial port: give 0 to 3, ttyS0 to ttyS3, or console`);
}

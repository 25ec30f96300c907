import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

const unitMib: Readonly<Record<string, number>> = { "": 1, m: 1, g: 1024, t: 1024 * 1024 };

/**
 * MiB of "256", "256M", "256MiB", "1.5G", "2T" (units are binary; a bare number counts MiB). `option` names the option in
 * the error. @throws {ZorError} INVALID_ARGUMENT for 0, for less than a MiB and for anything else.
 */
export function parseMemoryMib(option: string, text: string): bigint {
  const match = /^(\d{1,9}(?:\.\d{1,4})?)([mgt]?)(?:i?b)?$/i.exec(text.trim());
  const mib = match === null ? 0 : Number(match[1]) * (unitMib[(match[2] ?? "").toLowerCase()] ?? 0);
  if (Number.isInteger(mib) && mib > 0) return BigInt(mib);
  throw invalidArgument(
    option,
    `${quote(text)} is not an amount of memory such as 256M or 1.5G (whole MiB, more than 0)`,
  );
}

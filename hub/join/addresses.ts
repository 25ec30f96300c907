import { isIP } from "node:net";
import type { FieldViolation } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";

const maxAddresses = 16;

/** Checks the addresses of a host; `field` is their proto path. */
export function checkAddresses(
  field: string,
  addresses: readonly string[],
  isValid: (value: string) => boolean,
  form: string,
): FieldViolation[] {
  if (addresses.length > maxAddresses) return [{ field, description: `at most ${maxAddresses} addresses` }];
  return addresses
    .filter((address) => !isValid(address))
    .map((address) => ({ field, description: `${quote(address)} is not ${form}` }));
}

/** Whether a string is "ip:port", with IPv6 addresses in brackets. */
export function isSocketAddress(value: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  const port = Number(match?.[3]);
  return (
    match !== null && isIP(match[1] ?? match[2] ?? "") === (match[1] === undefined ? 4 : 6) && port > 0 && port < 65536
  );
}

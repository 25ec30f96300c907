import type { FieldViolation } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import { isDnsName } from "../../lib/socket-address.js";
import { refusalOfUnderlayIp } from "../../lib/underlay-address.js";

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

/** Checks the addresses at which other hosts are to reach a host; `field` is their proto path. */
export function checkUnderlayAddresses(field: string, addresses: readonly string[]): FieldViolation[] {
  if (addresses.length > maxAddresses) return [{ field, description: `at most ${maxAddresses} addresses` }];
  return addresses.flatMap((address) => {
    if (isDnsName(address)) return [];
    const refusal = refusalOfUnderlayIp(address);
    if (refusal === undefined) return [];
    const description = `${quote(address)} is ${refusal}; give an IP address, or a name, at which other hosts reach this one`;
    return [{ field, description }];
  });
}

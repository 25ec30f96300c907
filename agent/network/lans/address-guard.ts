import ipaddr from "ipaddr.js";
import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { AddressGuard } from "../../../proto/gen/zor/v1/port.js";

const [maxMacs, maxAddresses] = [16, 64];

/** A guard with its addresses as they are usually written, each once; what is no address stays as it is; pure. */
export function settleGuard(guard: AddressGuard | undefined): AddressGuard | undefined {
  if (guard === undefined) return undefined;
  return {
    macs: [...new Set(guard.macs.map((mac) => mac.toLowerCase()))],
    addresses: [...new Set(guard.addresses.map((address) => networkOf(address) ?? address))],
  };
}

/** What is wrong with a guard; pure. @param field its proto path */
export function checkGuard(field: string, guard: AddressGuard | undefined): FieldViolation[] {
  if (guard === undefined) return [];
  const { macs, addresses } = guard;
  const badMac = macs.find((mac) => !isUnicastMac(mac));
  const badAddress = addresses.find((address) => networkOf(address) === undefined);
  const of = (name: string, description: string): FieldViolation => ({ field: `${field}.${name}`, description });
  return [
    ...(macs.length > maxMacs ? [of("macs", `${macs.length} are more than ${maxMacs}`)] : []),
    ...(badMac === undefined
      ? []
      : [of("macs", `${quote(badMac)} is not a unicast MAC address such as "02:00:00:00:00:01"`)]),
    ...(addresses.length > maxAddresses ? [of("addresses", `${addresses.length} are more than ${maxAddresses}`)] : []),
    ...(badAddress === undefined
      ? []
      : [of("addresses", `${quote(badAddress)} is not an address or network such as "10.0.0.5" or "10.1.0.0/16"`)]),
  ];
}

function isUnicastMac(mac: string): boolean {
  const isMulticast = Number.parseInt(mac.slice(0, 2), 16) % 2 === 1;
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && !isMulticast && !/^(00:){5}00$/.test(mac);
}

/** "10.1.0.0/16" of "10.1.2.3/16", "10.0.0.5" of "10.0.0.5/32"; undefined: it is no address; pure. */
export function networkOf(text: string): string | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  const isWritten =
    ipaddr.IPv4.isValidFourPartDecimal(address) || (ipaddr.IPv6.isValid(address) && !address.includes("%"));
  if (!isWritten || rest.length > 0) return undefined;
  const parsed = ipaddr.parse(address);
  const bits = parsed.kind() === "ipv4" ? 32 : 128;
  if (prefix === undefined) return parsed.toString();
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined;
  if (Number(prefix) === bits) return parsed.toString();
  const whole = `${address}/${Number(prefix)}`;
  const network =
    parsed.kind() === "ipv4" ? ipaddr.IPv4.networkAddressFromCIDR(whole) : ipaddr.IPv6.networkAddressFromCIDR(whole);
  return `${network.toString()}/${Number(prefix)}`;
}

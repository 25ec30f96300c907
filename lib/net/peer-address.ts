import { isIPv4, isIPv6 } from "node:net";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import { refusalOfUnderlayIp } from "../underlay-address.js";

/** A socket address whose IP is a literal: names are never resolved, so nobody can point them elsewhere later. */
export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

/** Parses "10.0.0.1:7444" or "[fd00::1]:7444". @throws {ZorError} INVALID_ARGUMENT that names `field`. */
export function parseSocketAddress(field: string, text: string): SocketAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const ip = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? 0);
  const good = match?.[1] === undefined ? isIPv4(ip) : isIPv6(ip);
  if (!good || port > 65_535) {
    throw invalidArgument(field, `${quote(text)} is not an address of the form "10.0.0.1:7444" or "[fd00::1]:7444"`);
  }
  return { ip, port };
}

/** The text form of an address. */
export function formatSocketAddress(address: SocketAddress): string {
  return isIPv6(address.ip) ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
}

/**
 * Checks that a cable may be dialled to an address. IPv4-mapped IPv6 addresses count as the IPv4 address they mean.
 * @throws {ZorError} INVALID_ARGUMENT that names `field`.
 */
export function checkPeerAddress(
  field: string,
  text: string,
  options: { readonly allowLoopback: boolean },
): SocketAddress {
  const address = parseSocketAddress(field, text);
  if (address.port === 0) throw invalidArgument(field, `${quote(text)} has no port`);
  const refusal = refusalOfUnderlayIp(address.ip, options);
  if (refusal === undefined) return address;
  throw invalidArgument(field, `${quote(text)} is ${refusal}; give an address of the other host's underlay`);
}

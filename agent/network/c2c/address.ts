import { BlockList, isIPv4, isIPv6 } from "node:net";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";

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

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

const forbidden = new BlockList();
// This host, link-local with the metadata services of clouds, multicast, reserved and broadcast.
forbidden.addSubnet("0.0.0.0", 8, "ipv4");
forbidden.addSubnet("169.254.0.0", 16, "ipv4");
forbidden.addSubnet("224.0.0.0", 3, "ipv4");
forbidden.addAddress("100.100.100.200", "ipv4");
forbidden.addAddress("192.0.0.192", "ipv4");
forbidden.addAddress("168.63.129.16", "ipv4");
forbidden.addAddress("::", "ipv6");
forbidden.addSubnet("fe80::", 10, "ipv6");
forbidden.addSubnet("ff00::", 8, "ipv6");
forbidden.addAddress("fd00:ec2::254", "ipv6");
// Forms that lead to IPv4 addresses by way of translators.
forbidden.addSubnet("64:ff9b::", 96, "ipv6");
forbidden.addSubnet("2002::", 16, "ipv6");
forbidden.addSubnet("::", 96, "ipv6");

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
  const family = isIPv4(address.ip) ? "ipv4" : "ipv6";
  if (address.port === 0) throw invalidArgument(field, `${quote(text)} has no port`);
  if (loopback.check(address.ip, family)) {
    if (options.allowLoopback) return address;
    throw invalidArgument(field, `${quote(text)} is a loopback address, which leads back to this host`);
  }
  if (forbidden.check(address.ip, family)) {
    throw invalidArgument(
      field,
      `${quote(text)} is a link-local, multicast, reserved or metadata address; give an address of the other host's underlay`,
    );
  }
  return address;
}

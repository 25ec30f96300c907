import { readFileSync, writeFileSync } from "node:fs";
import { close, SystemCallError } from "../libc.js";
import { IFF_UP, readFlags, readIndex, setFlags } from "./device.js";
import { openSocket } from "./socket-calls.js";
import { visitNetns } from "./visit-netns.js";

/**
 * What keeps a device of the host out of the guests' network (ip-sysctl.rst of the kernel's documentation): no IPv6 whatever routers
 * there announce, no answer to ARP for an address of another device, and nothing is passed on.
 */
const quiet: readonly (readonly [family: "ipv4" | "ipv6", key: string, value: string])[] = [
  ["ipv6", "accept_ra", "0"],
  ["ipv6", "autoconf", "0"],
  ["ipv6", "forwarding", "0"],
  // After the others: it also takes away the addresses that are there.
  ["ipv6", "disable_ipv6", "1"],
  ["ipv4", "forwarding", "0"],
  ["ipv4", "accept_redirects", "0"],
  ["ipv4", "arp_ignore", "1"],
];

/**
 * Makes all devices of a net namespace quiet, those that are there and those that come. For namespaces of our own only.
 * Idempotent; a kernel without IPv6 needs no more. @throws {Error} such as EROFS, where /proc/sys may not be written
 */
export function quietNamespace(netns: string): void {
  visitNetns(netns, () => {
    // "default" is what new devices get, "all" reaches those that are there, and also the namespace as a whole.
    const failures = ["default", "all"].flatMap(writeQuiet);
    if (failures[0] !== undefined) throw failures[0];
  });
}

/**
 * Sets a device on the lans' side up and makes it quiet before: the one way to do so, for taps, veth pairs, vxlan devices and the
 * switch's own. Idempotent, and mends one that is up already. Never waits.
 * @param netns undefined: the thread's own.
 * @returns its index; undefined: there is no such device, or no such namespace.
 */
export function bringUpQuietly(netns: string | undefined, device: string): number | undefined {
  return visitNetns(netns, () => {
    const fd = openSocket();
    try {
      writeQuiet(device);
      const flags = readFlags(fd, device);
      if ((flags & IFF_UP) === 0) setFlags(fd, device, flags | IFF_UP);
      return readIndex(fd, device);
    } catch (error) {
      if (error instanceof SystemCallError) return undefined;
      throw error;
    } finally {
      close(fd);
    }
  });
}

/** Like {@link bringUpQuietly} for a device that was just made or found. @throws {Error} when it is gone. */
export function setUpQuietly(netns: string | undefined, device: string): void {
  if (bringUpQuietly(netns, device) !== undefined) return;
  throw new Error(`device ${device} could not be set up: it is gone, or its net namespace cannot be entered`);
}

/** /proc/sys/net shows the namespace of the thread that reads it. Returns why what could not be written. */
function writeQuiet(device: string): Error[] {
  return quiet.flatMap(([family, key, value]) => {
    const path = `/proc/sys/net/${family}/conf/${device}/${key}`;
    try {
      if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value);
      return [];
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // There is no such device any more, as the caller will see, or the kernel has no IPv6.
      return "code" in error && error.code === "ENOENT" ? [] : [error];
    }
  });
}

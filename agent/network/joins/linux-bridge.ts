import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { ip } from "../ip.js";
import type { HostBridge } from "./host-bridge.js";

/** What sysfs tells is of the net namespace that it was mounted in: the host's own, as the agent is. */
const devices = "/sys/class/net";
/** NET_ADDR_SET of linux/netdevice.h: somebody gave the device its address, and it keeps it. */
const addressSet = "3";
const noMac = "00:00:00:00:00:00";

/** A bridge of the host's kernel by its name; undefined: there is none. */
export function findLinuxBridge(name: string): HostBridge | undefined {
  if (statSync(join(devices, name, "bridge"), { throwIfNoEntry: false }) === undefined) return undefined;
  return {
    type: "linux",
    mtu: deviceMtu(name),
    keptMac: macToKeep(name),
    missing: (device) => (masterOf(device) === name ? "" : `${device} is no port of bridge ${name}`),
    add: async (device) => {
      if (masterOf(device) !== name) await ip(["link", "set", "dev", device, "master", name], {});
    },
    remove: async (device) => {
      if (masterOf(device) === name) await ip(["link", "set", "dev", device, "nomaster"], {});
    },
    // A bridge whose last port leaves loses the address that it had of it.
    settle: async (mac) => {
      if (isEmpty(name) && read(name, "address") === noMac) await ip(["link", "set", "dev", name, "address", mac], {});
    },
  };
}

/** MTU of an interface of the host; undefined: there is none of that name. */
export function deviceMtu(name: string): number | undefined {
  const mtu = Number(read(name, "mtu"));
  return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
}

/** MAC address of an interface of the host; "": there is none of that name. */
export function deviceMac(name: string): string {
  return read(name, "address");
}

/** The address of a bridge that nobody gave one, and that has no ports to have one of. */
function macToKeep(name: string): string | undefined {
  const mac = read(name, "address");
  const isKept = isEmpty(name) && read(name, "addr_assign_type") !== addressSet;
  return isKept && mac !== "" && mac !== noMac ? mac : undefined;
}

function masterOf(device: string): string {
  try {
    return basename(readlinkSync(join(devices, device, "master")));
  } catch {
    return "";
  }
}

function isEmpty(name: string): boolean {
  try {
    return readdirSync(join(devices, name, "brif")).length === 0;
  } catch {
    return false;
  }
}

function read(name: string, attribute: string): string {
  try {
    return readFileSync(join(devices, name, attribute), "utf8").trim();
  } catch {
    return "";
  }
}

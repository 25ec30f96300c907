import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { run } from "../../host/exec.js";
import { ip } from "../ip.js";
import type { PhyWay } from "./phy-policy.js";

/** What stands on an interface of the host, in the lan in its place. */
export interface PhyChild {
  /** Resource name. */
  readonly name: string;
  readonly device: string;
  readonly mode: Exclude<PhyWay, "absorb">;
  readonly vlanId: number;
  readonly mac: string;
  /** What it is called in the switch's namespace. */
  readonly port: string;
  /** Net namespace of the switch. */
  readonly netns: string;
  /** Its mark. */
  readonly tag: string;
}

/** Words of `ip link` that make it where it belongs; the interface below stays as it is. Pure. */
export function childWords({ device, mode, vlanId, mac, port, netns }: PhyChild): readonly string[] {
  const add = ["link", "add", "link", device, "name", port];
  const there = ["netns", netns];
  return mode === "vlan"
    ? [...add, ...there, "type", "vlan", "id", String(vlanId)]
    : [...add, "address", mac, ...there, "type", "macvlan", "mode", "bridge"];
}

const needs = {
  macvlan: { module: "macvlan", option: "CONFIG_MACVLAN" },
  vlan: { module: "8021q", option: "CONFIG_VLAN_8021Q" },
} as const;

/**
 * Refuses where the kernel has no such devices. Nothing is made: one that is to stand on nothing is refused too, with other words.
 * @throws {ZorError} FAILED_PRECONDITION KERNEL_LACKS_IT
 */
export async function assertKernelHas(name: string, mode: PhyChild["mode"]): Promise<void> {
  const { stderr } = await run("ip", ["link", "add", "name", "zyprobe", "type", mode], {
    acceptedExitCodes: [0, 1, 2, 255],
  });
  if (/Unknown device type|not supported/i.test(stderr)) throw kernelLacks(name, mode);
}

function kernelLacks(name: string, mode: PhyChild["mode"]): Error {
  const { module, option } = needs[mode];
  const message = `${name}: the kernel of this host has no ${mode} interfaces; load module ${module}, or use a kernel with ${option}`;
  return failedPrecondition("KERNEL_LACKS_IT", name, message);
}

/** Makes it. @throws {ZorError} FAILED_PRECONDITION */
export async function makeChild(child: PhyChild): Promise<void> {
  const { name, device, mode, vlanId, port, netns, tag } = child;
  await assertKernelHas(name, mode);
  try {
    await ip(childWords(child), {});
  } catch (error) {
    const told = messageOf(error);
    if (!/exists/i.test(told)) throw error;
    const message = `${name}: VLAN ${vlanId} of ${device} is taken by another interface of the host; remove that, or choose another VLAN`;
    throw failedPrecondition("DEVICE_TAKEN", name, mode === "vlan" ? message : told);
  }
  await ip(["link", "set", "dev", port, "alias", tag], { netns });
}

import { createHash } from "node:crypto";

/** A short name for what belongs to these ids: the same ids always give the same name. */
function shortHash(...ids: readonly string[]): string {
  return createHash("sha256").update(ids.join("\0")).digest("hex").slice(0, 10);
}

/** Name of a lan's bridge, unique within the agent's net namespace. */
export function toBridgeName(lanUid: string): string {
  return `zl${shortHash("lan", lanUid)}`;
}

/** What the names of test ports begin with. */
export const testPortPrefix = "zq";

/** Name of the port in a lan's bridge at which test frames come out. */
export function toTestPortName(lanUid: string): string {
  return `${testPortPrefix}${shortHash("lan", lanUid)}`;
}

/** Name of the host side (tap or veth) of an instance's interface. The kernel allows 15 characters. */
export function toPortName(instanceUid: string, nicIndex: number): string {
  return `zp${shortHash("nic", instanceUid, String(nicIndex))}`;
}

/** Name of the switch's port that the interfaces of an instance in a bond are, in one lan. */
export function toBondName(instanceUid: string, lan: string, bond: string): string {
  return `zb${shortHash("bond", instanceUid, lan, bond)}`;
}

/** Name of the end of an instance's interface that its runtime takes from the agent's own namespace. */
export function toHostDeviceName(instanceUid: string, nicIndex: number): string {
  return `zh${shortHash("nic", instanceUid, String(nicIndex))}`;
}

/** Name of the net namespace of a container. */
export function toContainerNetns(switchNetns: string, instanceUid: string): string {
  return `${switchNetns}.${shortHash("netns", instanceUid)}`;
}

/** Name of the net namespace of a nat. */
export function toNatNetns(switchNetns: string, natUid: string): string {
  return `${switchNetns}-n${shortHash("nat", natUid)}`;
}

/** Name of the switch's side of a nat's interface. */
export function toNatPortName(natUid: string): string {
  return `zn${shortHash("nat", natUid)}`;
}

/** The directory of what a nat's programs need while they run. */
export function toNatDirectory(natUid: string): string {
  return `/run/zor-nat/${shortHash("nat", natUid)}`;
}

/** MAC address of a nat in its lan: always the same, so that guests go on reaching it when it was made anew. */
export function toNatMac(natUid: string): string {
  return ["02", ...(shortHash("nat-mac", natUid).match(/../g) ?? [])].join(":");
}

/** Name of the switch's side of a tap. */
export function toTapPortName(tapUid: string): string {
  return `zt${shortHash("tap", tapUid)}`;
}

/** MAC address of a tap of which nobody says another. */
export function toTapMac(tapUid: string): string {
  return ["02", ...(shortHash("tap-mac", tapUid).match(/../g) ?? [])].join(":");
}

/** Name that an interface of the host, or what stands on it, has in the switch's namespace. */
export function toPhyPortName(phyUid: string): string {
  return `zy${shortHash("phy", phyUid)}`;
}

/** MAC address of what stands on an interface of the host, of which nobody says another. */
export function toPhyMac(phyUid: string): string {
  return ["02", ...(shortHash("phy-mac", phyUid).match(/../g) ?? [])].join(":");
}

/** Name of the switch's side of a port in a bridge of the host. */
export function toJoinPortName(bridgeUid: string): string {
  return `zi${shortHash("bridge", bridgeUid)}`;
}

/** Name of the host's side of it: the port that the host's bridge has. */
export function toJoinDeviceName(bridgeUid: string): string {
  return `zo${shortHash("bridge", bridgeUid)}`;
}

/**
 * MAC address of the port that the host's bridge has. Bridges take the lowest address of their ports for their own: this one is above
 * those of all cards.
 */
export function toJoinMac(bridgeUid: string): string {
  return ["fe", ...(shortHash("bridge-mac", bridgeUid).match(/../g) ?? [])].join(":");
}

/** Name of the port in a lan that a wire ends at. */
export function toWirePortName(wireUid: string): string {
  return `zw${shortHash("wire", wireUid)}`;
}

/** Name of the other side of it, which frames of the wire pass. */
export function toWireDeviceName(wireUid: string): string {
  return `zv${shortHash("wire", wireUid)}`;
}

/** Name of the device of a vtep. */
export function toVtepPortName(vtepUid: string): string {
  return `zx${shortHash("vtep", vtepUid)}`;
}

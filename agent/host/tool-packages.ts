/** Debian packages, with the programs in them that the agent runs. */
const packages: Readonly<Record<string, readonly string[]>> = {
  "qemu-system-x86": ["qemu-system-x86_64"],
  "qemu-system-arm": ["qemu-system-aarch64"],
  "qemu-utils": ["qemu-img", "qemu-nbd", "qemu-io"],
  "openvswitch-switch": ["ovs-vswitchd", "ovsdb-server"],
  "openvswitch-common": ["ovs-appctl", "ovs-ofctl", "ovsdb-tool"],
  "swtpm-tools": ["swtpm_setup"],
  "util-linux": ["setpriv", "unshare", "nsenter", "mount", "umount", "prlimit"],
  "xz-utils": ["xz"],
  iproute2: ["ip"],
  "dnsmasq-base": ["dnsmasq"],
  nftables: ["nft"],
  e2fsprogs: ["mkfs.ext4", "resize2fs", "e2fsck"],
  "libvirt-clients": ["virsh"],
};

const byTool = new Map(Object.entries(packages).flatMap(([name, tools]) => tools.map((tool) => [tool, name] as const)));

/** What to do when a program is not on the host. Packages that are not listed are called as their one program is. */
export function installWords(tool: string): string {
  return `install it there with: apt-get install ${byTool.get(tool) ?? tool}`;
}

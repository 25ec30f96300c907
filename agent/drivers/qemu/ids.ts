import type { CdromDrive, Disk, QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";

/** Sockets that QEMU makes in its working directory. */
export const socketNames = { qmp: "qmp", console: "console", guestAgent: "qga", vnc: "vnc", spice: "spice" } as const;
/** Most serial ports of a machine. */
export const maxSerialPorts = 4;
/** How many serial ports a machine has. */
export function serialPortsOf({ serialPorts }: Pick<QemuOptions, "serialPorts">): number {
  return Math.max(1, serialPorts);
}
/** Id of the character device of a serial port. */
export const serialChardev = (port: number): string => (port === 0 ? "console" : `console${port}`);
/** QEMU's socket of a serial port. */
export const serialSocket = (port: number): string => (port === 0 ? socketNames.console : `console${port}`);
/** Ids of character devices, as QMP reports them. */
export const guestAgentChardev = "qga";
/** Id of the guest agent's port, as in the event VSERPORT_CHANGE. */
export const guestAgentPort = "qgaport";

/**
 * The name of a disk: the id of its device and of its topmost block node, and what its files are called. Disks of agents up to 0.1 have
 * none recorded; theirs go by their place.
 */
export function diskName({ name }: Pick<Disk, "name">, index: number): string {
  return name === "" ? `disk${index}` : name;
}

/** The number in the name of a disk. */
export function diskNumber(disk: Pick<Disk, "name">, index: number): number {
  return Number(diskName(disk, index).slice("disk".length));
}

/** The name of a drive, which is the id of its device. */
export function driveName({ name }: Pick<CdromDrive, "name">, index: number): string {
  return name === "" ? `cdrom${index}` : name;
}

/**
 * Id of the device and of the backend of an interface. It goes by where it is, which never changes: an interface before it in the spec may
 * be taken away while the machine runs.
 */
export function nicId(address: string, index: number): string {
  const pci = /^0000:00:(0[89a-f])\.([0-7])$/.exec(address);
  if (pci !== null) return `nic${Number.parseInt(pci[1] ?? "", 16) - 8 + 8 * Number(pci[2])}`;
  const hotplug = /^0000:00:1e\.([0-7])\/([01][0-9a-f])\.0$/.exec(address);
  if (hotplug !== null) return `nichot${Number(hotplug[1]) + Number.parseInt(hotplug[2] ?? "", 16)}`;
  // A microvm and a machine of agents up to 0.1: nothing is added to these or taken away while they run.
  return `nic${index}`;
}

/** Id of the backend of an interface. */
export const netdevId = (nic: string): string => `net${nic.slice(3)}`;

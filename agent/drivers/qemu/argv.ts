import { join } from "node:path";
import type { DiskFormat } from "./image-chain.js";
import { fixedAddresses, type MachineType, type PciAddress, parseAddress } from "./placement.js";

/** A file open in the agent that QEMU inherits under this number. */
export type InheritedFd = number;

/** A disk with its backing images, top first. */
export interface DiskPlan {
  readonly layers: readonly { readonly fd: InheritedFd; readonly format: DiskFormat }[];
  /** As recorded in the spec. */
  readonly address: string;
}

/** An interface whose tap is open. */
export interface NicPlan {
  /** As recorded in the spec. */
  readonly address: string;
  readonly mac: string;
  readonly mtu: number;
  readonly fd: InheritedFd;
  /** An open /dev/vhost-net, to have the kernel move frames. */
  readonly vhostFd: InheritedFd | undefined;
  /** The guest is not offered to send UDP super-frames. Only for a QEMU that knows them, see {@link knowsUdpSuperFrames}. */
  readonly withoutUso: boolean;
}

/** Everything that decides how QEMU is run. */
export interface MachinePlan {
  /** Name for people; a checked resource id. */
  readonly id: string;
  /** RFC 4122 form; the machine is found again by it. */
  readonly uuid: string;
  readonly machine: MachineType;
  readonly accelerator: "kvm" | "tcg";
  readonly cpus: number;
  readonly memoryMib: number;
  /** Direct boot; undefined: from the first disk. */
  readonly boot:
    | { readonly kernelFd: InheritedFd; readonly initrdFd: InheritedFd | undefined; readonly arguments: string }
    | undefined;
  readonly disks: readonly DiskPlan[];
  readonly nics: readonly NicPlan[];
}

/** Whether a QEMU offers UDP super-frames to guests, and knows the property that keeps it from that: since 8.2. */
export function knowsUdpSuperFrames(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 8 || (major === 8 && minor >= 2);
}

/** Sockets that QEMU makes in its working directory. */
export const socketNames = { qmp: "qmp", console: "console", guestAgent: "qga" } as const;
/** Ids of character devices, as QMP reports them. */
export const guestAgentChardev = "qga";
/** Id of the device of an interface, by its place. */
export const nicId = (index: number): string => `nic${index}`;
/** Id of the guest agent's port, as in the event VSERPORT_CHANGE. */
export const guestAgentPort = "qgaport";

export const qemuProgram = "qemu-system-x86_64";

/**
 * Arguments of QEMU; pure. Nothing listens on a network, no path leads out of the working directory and no file is opened by name:
 * QEMU runs without the right to read the agent's files.
 */
export function toArgv(plan: MachinePlan): string[] {
  const fixed = fixedAddresses(plan.machine);
  return [
    ...["-name", `guest=${plan.id}`, "-uuid", plan.uuid],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-S"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...[
      "-machine",
      toMachine(plan),
      "-accel",
      toAccelerator(plan),
      "-cpu",
      plan.accelerator === "kvm" ? "host" : "max",
    ],
    ...["-smp", `cpus=${plan.cpus}`, "-m", `size=${plan.memoryMib}M`],
    ...["-chardev", `socket,id=qmp,path=${socketNames.qmp},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
    ...["-chardev", `socket,id=console,path=${socketNames.console},server=on,wait=off`, "-serial", "chardev:console"],
    ...toGuestAgent(fixed.serial),
    ...toBoot(plan),
    ...(fixed.rng === undefined
      ? []
      : ["-object", "rng-builtin,id=rng", "-device", toDevice("virtio-rng", "rng=rng", fixed.rng)]),
    ...toDisks(plan),
    ...plan.nics.flatMap(toNic),
  ];
}

function toMachine(plan: MachinePlan): string {
  if (plan.machine === "microvm") return "microvm,rtc=on";
  // Without a kernel of ours the firmware's messages on the serial console are all there is to see.
  return plan.boot === undefined ? `${plan.machine},graphics=off` : plan.machine;
}

function toAccelerator(plan: MachinePlan): string {
  // QEMU's own default reserves up to 1 GiB for translated code, for each machine.
  return plan.accelerator === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=64";
}

function toGuestAgent(address: string): string[] {
  return [
    ...["-device", toDevice("virtio-serial", "id=serial", address)],
    ...["-chardev", `socket,id=${guestAgentChardev},path=${socketNames.guestAgent},server=on,wait=off`],
    "-device",
    `virtserialport,id=${guestAgentPort},bus=serial.0,nr=1,chardev=${guestAgentChardev},name=org.qemu.guest_agent.0`,
  ];
}

function toBoot({ boot }: MachinePlan): string[] {
  if (boot === undefined) return ["-boot", "strict=on"];
  return [
    ...["-kernel", fdPath(boot.kernelFd)],
    ...(boot.initrdFd === undefined ? [] : ["-initrd", fdPath(boot.initrdFd)]),
    ...["-append", boot.arguments],
  ];
}

/** QEMU opens boot files with plain open(2), which knows no fd sets. */
function fdPath(fd: InheritedFd): string {
  return join("/proc/self/fd", String(fd));
}

function toDisks({ boot, disks }: MachinePlan): string[] {
  // A kernel that is booted directly has this place already.
  const first = boot === undefined ? ",bootindex=0" : "";
  return disks.flatMap((disk, index) => [
    ...toNodes(disk, index),
    "-device",
    toDevice("virtio-blk", `drive=disk${index},serial=disk${index}${index === 0 ? first : ""}`, disk.address),
  ]);
}

/** One block node a layer, lowest first: a node must exist before it is named as backing. */
function toNodes(disk: DiskPlan, index: number): string[] {
  const nodeName = (level: number) => (level === 0 ? `disk${index}` : `disk${index}base${level}`);
  return disk.layers
    .map((layer, level) => {
      const readOnly = level > 0;
      const hasBacking = level + 1 < disk.layers.length;
      const node = {
        driver: layer.format,
        "node-name": nodeName(level),
        "read-only": readOnly,
        file: { driver: "file", filename: `/dev/fdset/${layer.fd}`, "read-only": readOnly },
        ...(readOnly ? {} : { discard: "unmap" }),
        // null: none, whatever the header says.
        ...(layer.format === "raw" ? {} : { backing: hasBacking ? nodeName(level + 1) : null }),
      };
      return ["-add-fd", `fd=${layer.fd},set=${layer.fd}`, "-blockdev", JSON.stringify(node)];
    })
    .reverse()
    .flat();
}

function toNic(nic: NicPlan, index: number): string[] {
  const vhost = nic.vhostFd === undefined ? "vhost=off" : `vhost=on,vhostfd=${nic.vhostFd}`;
  const offloads = nic.withoutUso ? ",host_uso=off" : "";
  const properties = `id=${nicId(index)},netdev=net${index},mac=${nic.mac},host_mtu=${nic.mtu}${offloads}`;
  return [
    ...["-netdev", `tap,id=net${index},fd=${nic.fd},${vhost}`],
    ...["-device", toDevice("virtio-net", properties, nic.address)],
  ];
}

/** A device at its address. */
function toDevice(device: string, properties: string, text: string): string {
  const address = parseAddress(text);
  if (address.type === "mmio") return `${device}-device,${properties},bus=${text}`;
  return `${device}-pci,${properties},addr=${toPciProperty(address)}`;
}

/** Function 0 always says that there may be others: a guest's name of an interface tells whether it does. */
function toPciProperty({ slot, func }: PciAddress): string {
  return `${slot.toString(16)}.${func}${func === 0 ? ",multifunction=on" : ""}`;
}

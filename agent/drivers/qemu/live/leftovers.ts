import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { DriverInstance } from "../../driver.js";
import { iothreadId } from "../hardware/disk-device.js";
import { diskName, netdevId, nicId } from "../ids.js";
import { numberOf, objectsIn, textOf } from "../json.js";
import { qemuOptionsOf } from "../options.js";
import {
  descriptorMark,
  type LiveMachine,
  type LiveOptions,
  listNodes,
  nodesOfDisk,
  removeDevice,
  removeNode,
} from "./live-machine.js";

/** A guest that lets go of a device does within five seconds (Linux, where a button is pressed for it). */
const letGoMs = 6000;
/** Ids of disks and of interfaces. */
const [diskPattern, nicPattern] = [/^disk\d+$/, /^nic(?:hot)?\d+$/];

/** What settling needs. */
export interface Settling {
  /** Adds a disk of the spec whose files are there. @throws {ZorError} */
  readonly plugDisk: (index: number) => Promise<void>;
  /** Adds an interface of the spec. @throws {ZorError} */
  readonly plugNic: (index: number) => Promise<void>;
  /** Told of what could not be settled; the next start of the machine does. */
  readonly onError: (error: unknown, what: string) => void;
}

/**
 * Has a running machine be what its spec says, after an agent was ended between a change of its devices and writing it down: nobody was told that
 * it was made. What the spec does not have is taken away, as far as the guest lets go of it, and what it has and the machine has lost is added
 * again, where that can be done while it runs. Never throws.
 */
export async function settleDevices(
  machine: LiveMachine,
  { name, spec }: DriverInstance,
  settling: Settling,
): Promise<void> {
  const options = { resource: name, signal: uninterrupted, waitMs: letGoMs };
  const disks = qemuOptionsOf(spec).disks.map(diskName);
  const nics = spec.nics.map(({ deviceAddress }, index) => nicId(deviceAddress, index));
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    await work().catch((error: unknown) => settling.onError(error, what));
  };
  await attempt("what it is made of", async () => {
    const devices = await listDevices(machine);
    const nodes = (await listNodes(machine)).map((node) => textOf(node, "node-name").replace(/base\d+$/, ""));
    const extra = [...new Set([...devices, ...nodes])].filter((id) => !disks.includes(id) && !nics.includes(id));
    for (const id of extra.filter((each) => diskPattern.test(each))) {
      await attempt(id, () => removeDiskDevice(machine, id, options));
    }
    for (const id of extra.filter((each) => nicPattern.test(each))) {
      await attempt(id, () => removeNicDevice(machine, id, options));
    }
    for (const [index, id] of disks.entries()) {
      const isPluggable = isBehindPort(qemuOptionsOf(spec).disks[index]);
      if (!devices.has(id) && isPluggable) await attempt(id, () => settling.plugDisk(index));
    }
    for (const [index, id] of nics.entries()) {
      if (!devices.has(id) && isBehindPort(spec.nics[index])) await attempt(id, () => settling.plugNic(index));
    }
    await removeDescriptors(machine);
  });
}

/** Only what is at such places came or went while it ran; all else is as the machine was started. */
function isBehindPort(device: { readonly deviceAddress: string } | undefined): boolean {
  const { deviceAddress = "" } = device ?? {};
  return deviceAddress.includes("/") || deviceAddress.startsWith("scsi.") || deviceAddress.startsWith("usb.");
}

/**
 * Takes away all that there is of a disk: its device, when the guest lets go of it, and what is behind it. Idempotent.
 * @throws {ZorError} FAILED_PRECONDITION when the guest keeps it; then it is as before.
 */
export async function removeDiskDevice(
  machine: LiveMachine,
  id: string,
  options: LiveOptions & { readonly waitMs?: number },
): Promise<void> {
  await removeDevice(machine, id, { ...options, what: `disk ${id}` });
  for (const node of await nodesOfDisk(machine, id)) await removeNode(machine, node);
  await machine.execute("object-del", { id: iothreadId(id) }).catch(() => undefined);
}

/** Like {@link removeDiskDevice}, of an interface. @param what it is called for people; default: its id. */
export async function removeNicDevice(
  machine: LiveMachine,
  id: string,
  { what = `interface ${id}`, ...options }: LiveOptions & { readonly waitMs?: number; readonly what?: string },
): Promise<void> {
  await removeDevice(machine, id, { ...options, what });
  await machine.execute("netdev_del", { id: netdevId(id) }).catch((error: unknown) => {
    if (!(error instanceof Error) || !/not found/.test(error.message)) throw error;
  });
}

/** Ids of all devices that have one. */
async function listDevices(machine: LiveMachine): Promise<ReadonlySet<string>> {
  const found = objectsIn(await machine.execute("qom-list", { path: "/machine/peripheral" }));
  return new Set(found.map((entry) => textOf(entry, "name")));
}

/** Closes files that QEMU was given and nothing uses. */
async function removeDescriptors(machine: LiveMachine): Promise<void> {
  const used = new Set((await listNodes(machine)).map((node) => textOf(node, "file")));
  for (const set of objectsIn(await machine.execute("query-fdsets"))) {
    const id = numberOf(set, "fdset-id");
    const isOurs = objectsIn(set["fds"]).every((fd) => textOf(fd, "opaque") === descriptorMark);
    if (id === undefined || !isOurs || used.has(`/dev/fdset/${id}`)) continue;
    await machine.execute("remove-fd", { "fdset-id": id });
  }
}

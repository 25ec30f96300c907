import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, type FieldViolation, permissionDenied, type ZorError } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { usbPorts } from "../placement.js";
import { usbDevicePattern } from "../usb-device-name.js";
import { type DeviceProperties, toDeviceWord } from "./device.js";
import type { Asked, HardwarePart, Launch, MachinePolicy } from "./part.js";
import { toldOf } from "../../../host/told.js";

const maxDevices = 4;
const [devicesDirectory, nodesDirectory] = ["/sys/bus/usb/devices", "/dev/bus/usb"];

/** USB devices of the host that the guest has to itself. QEMU is given each as a descriptor: its user may open none. */
export const hostUsb: HardwarePart<readonly InheritedFd[]> = {
  check,
  admit: async ({ options }, { policy }) => assertAllowed(askedOf(options), policy),
  open: async (launch) => {
    const asked = askedOf(launch.options);
    // The setting may have been narrowed since the machine was made.
    assertAllowed(asked, launch.policy);
    const fds: InheritedFd[] = [];
    for (const device of asked) fds.push(await openDevice(device, launch));
    return fds.length === 0 ? undefined : fds;
  },
  toArguments: (fds) => ({
    argv: fds.flatMap((fd, index) => {
      const device: DeviceProperties = {
        ...{ driver: "usb-host", id: `hostusb${index}`, hostdevice: `/dev/fdset/${fd}` },
        ...{ bus: "usb.0", port: String(usbPorts.firstOfHost + index) },
      };
      return ["-add-fd", `fd=${fd},set=${fd}`, "-device", toDeviceWord(device)];
    }),
  }),
};

function askedOf(options: Asked["options"]): readonly string[] {
  return options.usb?.hostDevices ?? [];
}

function check({ options }: Asked): FieldViolation[] {
  const asked = askedOf(options);
  const field = "qemu.usb.host_devices";
  if (asked.length === 0) return [];
  if (options.usb?.controller === "ehci") {
    return [violation(field, 'need a controller "xhci": an ehci has no ports left for them')];
  }
  if (asked.length > maxDevices) return [violation(field, `${asked.length} are more than ${maxDevices}`)];
  return asked.flatMap((device, index): FieldViolation[] => {
    if (!usbDevicePattern.test(device)) {
      const description = `${quote(device)} is neither vendor and product, "046d:c52b", nor bus and ports, "1-2.3"`;
      return [violation(`${field}[${index}]`, description)];
    }
    return asked.indexOf(device) === index ? [] : [violation(`${field}[${index}]`, `${device} is there already`)];
  });
}

function assertAllowed(asked: readonly string[], { usbDevices }: MachinePolicy): void {
  const refused = asked.find((device) => !usbDevices.includes(device));
  if (refused === undefined) return;
  throw permissionDenied(
    `instance.spec.qemu.usb.host_devices: ${refused} may not be given to machines; allow it with usbDevices in the agent's settings`,
  );
}

async function openDevice(device: string, { inherited, resource }: Launch): Promise<InheritedFd> {
  const found = await findDevices(device);
  const [node] = found;
  if (node === undefined)
    throw unavailable(resource, device, "it is not plugged in; plug it in and start the machine again");
  if (found.length > 1) {
    const where = found.map(({ place }) => place).join(", ");
    throw unavailable(
      resource,
      device,
      `there are several, at ${where}; name one by its place, and allow that with usbDevices`,
    );
  }
  const file = await open(node.path, "r+").catch((error: unknown) => {
    throw unavailable(resource, device, toldOf(error));
  });
  return inherited.share(inherited.keep(file));
}

/** Where a device is plugged in, and the file that it is used by. */
interface UsbNode {
  readonly place: string;
  readonly path: string;
}

/** The host's devices that are meant. */
async function findDevices(device: string): Promise<readonly UsbNode[]> {
  const places = device.includes(":")
    ? (await readdir(devicesDirectory).catch(() => [])).filter((name) => !name.includes(":"))
    : [device];
  const found: UsbNode[] = [];
  for (const place of places) {
    const read = async (name: string) =>
      (await readFile(join(devicesDirectory, place, name), "utf8").catch(() => "")).trim();
    const [bus, number] = [await read("busnum"), await read("devnum")];
    if (bus === "" || number === "") continue;
    const isMeant = place === device || `${await read("idVendor")}:${await read("idProduct")}` === device;
    if (isMeant) found.push({ place, path: join(nodesDirectory, bus.padStart(3, "0"), number.padStart(3, "0")) });
  }
  return found;
}

function unavailable(resource: string, device: string, why: string): ZorError {
  return failedPrecondition(
    "HOST_DEVICE_UNAVAILABLE",
    resource,
    `${resource}: the host's USB device ${device} cannot be given to it: ${why}`,
  );
}

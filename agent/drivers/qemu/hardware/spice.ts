import type { FieldViolation } from "../../../../lib/errors.js";
import { socketNames } from "../ids.js";
import { violation } from "../options.js";
import { usbPorts } from "../placement.js";
import { assertHasSpice } from "../qemu-probe.js";
import { toDeviceWord } from "./device.js";
import { hasDisplay } from "./display.js";
import type { Asked, HardwarePart } from "./part.js";

interface SpicePlan {
  readonly usbRedirections: number;
  readonly agent: boolean;
}

const maxRedirections = 4;

/** SPICE beside VNC: what it needs on the buses of USB and of serial ports comes before. */
export const spice: HardwarePart<SpicePlan> = {
  check,
  admit: async ({ options }, { signal }) => {
    if (options.spice !== undefined) await assertHasSpice(signal);
  },
  open: async ({ options: { spice: asked }, signal }) => {
    if (asked === undefined) return undefined;
    // The package may have been taken away since the machine was made.
    await assertHasSpice(signal);
    return asked;
  },
  toArguments: ({ usbRedirections, agent }) => ({
    argv: [
      ...["-spice", server.join(",")],
      ...(agent ? toChannel("vdagent", `${agentPort},chardev=vdagent,name=com.redhat.spice.0`) : []),
      ...Array.from({ length: usbRedirections }, (_, index) => toRedirection(index)).flat(),
    ],
  }),
};

/** Whoever reaches the socket has been let in by the agent; the guest is given neither the viewer's clipboard nor its files. */
const server = [
  ...["unix=on", `addr=${socketNames.spice}`, "disable-ticketing=on"],
  ...["disable-copy-paste=on", "disable-agent-file-xfer=on"],
];
/** The guest's own agent has the port before. */
const agentPort = "virtserialport,id=vdagentport,bus=serial.0,nr=2";

/** A channel of SPICE, of that name in the protocol, and the device that uses it. */
function toChannel(id: string, device: string, name = id): readonly string[] {
  return ["-chardev", `spicevmc,id=${id},name=${name}`, "-device", device];
}

/** From the last port down: devices of the host have the ports before. */
function toRedirection(index: number): readonly string[] {
  const id = `usbredir${index}`;
  const port = String(usbPorts.last - index);
  return toChannel(id, toDeviceWord({ driver: "usb-redir", id, chardev: id, bus: "usb.0", port }), "usbredir");
}

function check({ options }: Asked): FieldViolation[] {
  const { spice: asked, usb } = options;
  if (asked === undefined) return [];
  const violations: FieldViolation[] = [];
  const field = "qemu.spice.usb_redirections";
  const count = asked.usbRedirections;
  const hostDevices = usb?.hostDevices.length ?? 0;
  const ports = usbPorts.last - usbPorts.firstOfHost + 1;
  if (!hasDisplay(options)) {
    violations.push(violation("qemu.spice", 'needs a screen to show; set qemu.display to "qxl", "virtio" or "std"'));
  }
  if (count < 0 || count > maxRedirections) {
    violations.push(violation(field, `${count} is not between 0 and ${maxRedirections}`));
  } else if (count > 0 && usb?.controller === "ehci") {
    violations.push(violation(field, 'need a controller "xhci": an ehci has no ports left for them'));
  } else if (count + hostDevices > ports) {
    const what = `${count} and ${hostDevices} of qemu.usb.host_devices are more than the ${ports} ports that both have`;
    violations.push(violation(field, `${what}; ask for fewer of either`));
  }
  return violations;
}

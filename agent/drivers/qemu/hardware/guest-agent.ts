import { guestAgentChardev, guestAgentPort, socketNames } from "../ids.js";
import { fixedAddresses } from "../placement.js";
import { toVirtioDevice } from "./device.js";
import type { HardwarePart } from "./part.js";

/** The port of an agent inside the guest. */
export const guestAgent: HardwarePart<object> = {
  open: async () => ({}),
  toArguments: (_plan, { machine }) => ({
    argv: [
      ...["-device", toVirtioDevice("virtio-serial", "id=serial", fixedAddresses(machine).serial)],
      ...["-chardev", `socket,id=${guestAgentChardev},path=${socketNames.guestAgent},server=on,wait=off`],
      "-device",
      `virtserialport,id=${guestAgentPort},bus=serial.0,nr=1,chardev=${guestAgentChardev},name=org.qemu.guest_agent.0`,
    ],
  }),
};

import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { vxlanPort } from "./vxlan-device.js";

/** Sends one UDP datagram to the vxlan port of a host; what becomes of it is not known. */
export type ProbeSender = (remote: string, datagram: Buffer) => Promise<void>;

/**
 * A frame in VXLAN (RFC 7348) that the kernel of the other host takes for one of the network and its switch keeps to itself: it is
 * to an address reserved by IEEE 802.1Q and of the local experimental ethertype. It shows the other host that this one reaches it.
 */
export function vxlanProbe(vxlanId: number): Buffer {
  const datagram = Buffer.alloc(8 + 60);
  datagram[0] = 0x08;
  datagram.writeUIntBE(vxlanId, 4, 3);
  datagram.write("0180c200000e02000000000188b5", 8, "hex");
  return datagram;
}

/** Sends from this process's namespace. */
export async function sendDatagram(remote: string, datagram: Buffer): Promise<void> {
  const socket = createSocket(isIPv6(remote) ? "udp6" : "udp4");
  await new Promise<void>((resolve) => {
    // That the host cannot be reached now shows at the other end, where nothing comes.
    socket.once("error", () => resolve());
    socket.send(datagram, vxlanPort, remote, () => resolve());
  });
  socket.close();
}

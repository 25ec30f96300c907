import { run } from "../../agent/host/exec.js";

/** A socket stays in the namespace in which it was made. 17, 103: SOL_UDP, UDP_SEGMENT of linux/udp.h. */
const sender = `
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def socket_in(netns):
    fd = os.open("/run/netns/" + netns, os.O_RDONLY)
    if libc.setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
source, target, address = sys.argv[1:]
receiving, sending = socket_in(target), socket_in(source)
receiving.bind((address, 5000))
receiving.settimeout(30)
sending.setsockopt(17, 103, 1000)
came = set()
for burst in range(10):
    numbers = range(burst * 20, burst * 20 + 20)
    sending.sendto(b"".join(number.to_bytes(4, "big") + bytes(996) for number in numbers), (address, 5000))
    try:
        for _ in numbers:
            datagram = receiving.recv(65535)
            if len(datagram) == 1000:
                came.add(datagram[:4])
    except TimeoutError:
        break
print(len(came))
`;

/**
 * Sends ten super-frames of twenty datagrams of 1000 bytes from one net namespace to an address in another.
 * Returns how many of the 200 datagrams came, each counted once.
 */
export async function sendUdpSegments(options: {
  readonly from: string;
  readonly to: string;
  readonly address: string;
}): Promise<number> {
  const { stdout } = await run("python3", ["-c", sender, options.from, options.to, options.address]);
  return Number(stdout);
}

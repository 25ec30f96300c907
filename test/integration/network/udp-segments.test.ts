import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;

beforeEach(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: "u1", mtu: 1500, rstp: false });
});

afterEach(async () => {
  await net.destroy();
});

/**
 * Sends ten super-frames of twenty datagrams from one namespace to the other and prints how many datagrams came, each counted once.
 * A socket stays in the namespace in which it was made. 17, 103: SOL_UDP, UDP_SEGMENT of linux/udp.h.
 */
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
receiving.settimeout(2)
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

test("what a container sends with UDP_SEGMENT arrives, datagram by datagram", async () => {
  const a = await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  const b = await net.plugContainer("c2", "lan1", "10.78.0.2/24");
  await ping(a.netns, "10.78.0.2");
  const { stdout } = await run("python3", ["-c", sender, a.netns, b.netns, "10.78.0.2"]);
  expect(Number(stdout)).toBe(200);
});

test("an interface of an earlier agent is set as a new one is, and only where the switch needs it", async () => {
  const segmentation = async (netns: string): Promise<string | undefined> => {
    const { stdout } = await run("ethtool", ["-k", "eth0"], { netns });
    return /^tx-udp-segmentation: (\S+)/m.exec(stdout)?.[1];
  };
  const wanted = net.sw.datapath === "netdev" ? "off" : "on";
  const { netns } = await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  expect(await segmentation(netns)).toBe(wanted);
  await run("ethtool", ["-K", "eth0", "tx-udp-segmentation", "on"], { netns });
  await net.reopen();
  await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  expect(await segmentation(netns)).toBe(wanted);
});

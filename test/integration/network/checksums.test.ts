import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { readRaw } from "../../helpers/raw-reader.js";
import { NetworkFixture, ping } from "./fixture.js";

let net: NetworkFixture;
let a: { netns: string };
let b: { netns: string };

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: "u1", mtu: 1500, rstp: false });
  a = await net.plugContainer("c1", "lan1", "10.78.0.1/24");
  b = await net.plugContainer("c2", "lan1", "10.78.0.2/24");
  for (const [end, address] of [
    [a, "fd78::1/64"],
    [b, "fd78::2/64"],
  ] as const) {
    await run("ip", ["-n", end.netns, "address", "add", address, "dev", "eth0", "nodad"]);
  }
  await ping(a.netns, "10.78.0.2");
  await ping(a.netns, "fd78::2");
});

afterAll(async () => {
  await net.destroy();
});

const [customer, provider] = [0x8100, 0x88a8];

test.each([
  ["no tag", []],
  ["a tag", [customer]],
  ["a tag of a provider", [provider]],
] as const)("a raw socket of a container reads finished checksums behind %s", async (_what, tags) => {
  const sizes = [1, 7, 18, 300, 1440];
  for (const address of ["10.78.0.2", "fd78::2"]) {
    const read = await readRaw({ from: a.netns, to: b.netns, device: "eth0", address, sizes, tags });
    expect(read, address).toEqual(sizes.map((bytes) => ({ bytes, finished: true })));
  }
});

test("super-frames of TCP cross the lan whole", async () => {
  const program = `
import socket, sys, threading
exec(sys.argv[1])
def inside(netns):
    fd = open("/run/netns/" + netns)
    assert __import__("ctypes").CDLL(None).setns(fd.fileno(), 0) == 0
inside(target)
server = socket.create_server((address, 7000))
def drain():
    peer = server.accept()[0]
    while peer.recv(1 << 20):
        pass
reader = threading.Thread(target=drain)
reader.start()
inside(source)
sender = socket.create_connection((address, 7000))
for _ in range(200):
    sender.sendall(bytes(100_000))
sender.close()
reader.join()
`;
  const before = await received();
  const setting = `source, target, address = ${JSON.stringify([a.netns, b.netns, "10.78.0.2"])}`;
  await run("python3", ["-c", program, setting]);
  const after = await received();
  const [bytes, packets] = [after.bytes - before.bytes, after.packets - before.packets];
  expect(bytes).toBeGreaterThan(20_000_000);
  expect(bytes / packets).toBeGreaterThan(3_000);
});

async function received(): Promise<{ bytes: number; packets: number }> {
  const { stdout } = await run("ip", ["-n", b.netns, "-j", "-s", "link", "show", "dev", "eth0"]);
  // iproute2 prints an array with one object for one device.
  const [link] = JSON.parse(stdout) as [{ stats64: { rx: { bytes: number; packets: number } } }];
  return link.stats64.rx;
}

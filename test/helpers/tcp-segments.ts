import { run } from "../../agent/host/exec.js";

/** A socket stays in the namespace in which it was made. */
const enter = `
import ctypes, json, os, socket, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def enter(netns):
    fd = os.open("/run/netns/" + netns, os.O_RDONLY)
    if libc.setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
options = json.loads(sys.argv[1])
`;

/** Super-frames are handed over, and read, with a virtio-net header (PACKET_VNET_HDR of linux/if_packet.h, struct virtio_net_hdr). */
const superFrames = `${enter}
def packet_socket(netns, device):
    enter(netns)
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(263, 15, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    made.bind((device, 3))
    made.settimeout(60)
    return made
outside = packet_socket(options["outside"]["netns"], options["outside"]["device"])
inside = packet_socket(options["inside"]["netns"], options["inside"]["device"])
six, tags, bytes_ = options["six"], options["tags"], 40000
def frame(size):
    ethernet = b"\\x02\\0\\0\\0\\0\\x01" + b"\\x02\\0\\0\\0\\0\\x02"
    for tag in tags:
        ethernet += struct.pack("!HH", tag, 0x2123)
    ethernet += struct.pack("!H", 0x86dd if six else 0x0800)
    udp = options["udp"]
    layer4 = struct.pack("!HHHH", 1111, 2222, bytes_ + 8, 0) if udp else struct.pack("!HHIIBBHHH", 1111, 2222, 1, 1, 5 << 4, 16, 500, 0, 0)
    length, protocol = len(layer4) + bytes_, 17 if udp else 6
    words = options["words"]
    if six:
        ip = struct.pack("!IHBB", 6 << 28, length, protocol, 64) + bytes(range(32))
    else:
        head = 20 + 4 * words
        ip = struct.pack("!BBHHHBBH", 0x40 | head // 4, 0, head + length, 1, 0x4000, 64, protocol, 0) + bytes(range(8)) + b"\\1" * (4 * words)
    start = len(ethernet) + len(ip)
    kind = 0 if size == 0 else 5 if udp else 4 if six else 1
    payload = bytes(bytes_) if size else b"x"
    header = struct.pack("=BBHHHH", 1, kind, start + len(layer4), size, start, 6 if udp else 16)
    return header + ethernet + ip + layer4 + payload
inside.send(frame(options["came"]))
outside.send(frame(options["leaves"]))
while True:
    packet, about = inside.recvfrom(70000)
    if about[2] != 4 and packet[10:22] == frame(0)[10:22]:
        break
_, kind, _, size, _, _ = struct.unpack("=BBHHHH", packet[:10])
# The kernel takes the outer tag off for a reader; what is left is the same frame.
plain = packet[10:]
whole = frame(options["leaves"])[10:]
same = plain == whole or (len(tags) > 0 and plain == whole[:12] + whole[16:])
print(json.dumps({"size": size, "same": same}))
`;

/** What a reader behind a port was given of a super-frame. */
interface SuperFrame {
  /** Bytes of each segment, gso_size. */
  readonly size: number;
  /** The frame is the one that was sent. */
  readonly same: boolean;
}

/** One side of a veth pair. */
interface Side {
  readonly netns: string;
  readonly device: string;
}

/**
 * Sends a super-frame of 40,000 bytes into a pair from the inside, and one of the same stream from the outside, and says what comes out
 * of the latter inside.
 */
export async function sendSuperFrames(options: {
  readonly outside: Side;
  readonly inside: Side;
  /** Sizes of the segments of both. */
  readonly came: number;
  readonly leaves: number;
  readonly six?: boolean;
  /** Types of VLAN tags, outer first. */
  readonly tags?: readonly number[];
  /** Words of options in the header of IPv4. */
  readonly words?: number;
  readonly udp?: boolean;
}): Promise<SuperFrame> {
  const whole = { six: false, tags: [], words: 0, udp: false, ...options };
  const { stdout } = await run("python3", ["-c", superFrames, JSON.stringify(whole)]);
  // What the program above prints.
  return JSON.parse(stdout) as SuperFrame;
}

const stream = `${enter}
enter(options["to"])
server = socket.create_server((options["address"], 0))
server.settimeout(60)
enter(options["from"])
client = socket.socket()
client.settimeout(60)
client.connect(server.getsockname())
other, _ = server.accept()
other.settimeout(60)
def send():
    client.sendall(bytes(options["bytes"]))
    client.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
came = 0
while True:
    part = other.recv(1 << 20)
    if not part:
        break
    came += len(part)
print(came)
`;

/** Sends bytes over TCP from one net namespace to an address of another; resolves to how many came. */
export async function sendStream(options: {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly bytes: number;
}): Promise<number> {
  const { stdout } = await run("python3", ["-c", stream, JSON.stringify(options)]);
  return Number(stdout);
}

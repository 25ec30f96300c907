import { run } from "../../agent/host/exec.js";

/** What a raw socket was given of one datagram. */
export interface RawDatagram {
  /** Bytes of the UDP payload. */
  readonly bytes: number;
  /** The checksum on the wire is that of the datagram; 0, none, counts as wrong. */
  readonly finished: boolean;
}

/**
 * A socket stays in the namespace in which it was made. A datagram behind tags is handed over as a kernel that leaves the checksum to the
 * device does: with a virtio-net header (PACKET_VNET_HDR of linux/if_packet.h) that asks for it.
 */
const program = `
import ctypes, json, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def enter(netns):
    fd = os.open("/run/netns/" + netns, os.O_RDONLY)
    if libc.setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
options = json.loads(sys.argv[1])
address, tags = options["address"], options["tags"]
six = ":" in address
family = socket.AF_INET6 if six else socket.AF_INET
enter(options["to"])
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind((options["device"], 3))
raw.settimeout(60)
target_mac = raw.getsockname()[4]
enter(options["from"])
def total(data):
    if len(data) % 2:
        data += b"\\0"
    value = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value
def payload(size):
    return bytes(i * 7 % 251 for i in range(size))
def send_plain(size):
    socket.socket(family, socket.SOCK_DGRAM).sendto(payload(size), (address, 6767))
def send_tagged(size):
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.setsockopt(263, 15, 1)
    out.bind((options["device"], 0))
    length = size + 8
    to = socket.inet_pton(family, address)
    pseudo = to + to + struct.pack("!HH", 17, length)
    udp = struct.pack("!HHHH", 6767, 6767, length, total(pseudo)) + payload(size)
    if six:
        ip = struct.pack("!IHBB", 6 << 28, length, 17, 64) + to + to
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + to + to
        ip = ip[:10] + struct.pack("!H", total(ip) ^ 0xffff) + ip[12:]
    ethernet = target_mac + out.getsockname()[4]
    for tag in tags:
        ethernet += struct.pack("!HH", tag, 5)
    ethernet += struct.pack("!H", 0x86dd if six else 0x0800)
    start = len(ethernet) + len(ip)
    out.send(struct.pack("=BBHHHH", 1, 0, 0, 0, start, 6) + ethernet + ip + udp)
def find_datagram(packet):
    at = 12
    while struct.unpack("!H", packet[at:at + 2])[0] in (0x8100, 0x88a8):
        at += 4
    kind, at = struct.unpack("!H", packet[at:at + 2])[0], at + 2
    if kind == 0x86dd and packet[at + 6] == 17:
        return packet[at + 8:at + 40], packet[at + 40:]
    if kind == 0x0800 and packet[at + 9] == 17:
        return packet[at + 12:at + 20], packet[at + (packet[at] & 15) * 4:at + struct.unpack("!H", packet[at + 2:at + 4])[0]]
    return None
def read():
    while True:
        packet, about = raw.recvfrom(65535)
        if about[2] == 4:
            continue
        found = find_datagram(packet)
        if found and struct.unpack("!H", found[1][2:4])[0] == 6767:
            return found
out = []
for size in options["sizes"]:
    (send_tagged if tags else send_plain)(size)
    pseudo, udp = read()
    length, check = struct.unpack("!HH", udp[4:8])
    ok = check != 0 and total(pseudo + struct.pack("!HH", 17, length) + udp[:length]) == 0xffff
    out.append({"bytes": length - 8, "finished": ok})
print(json.dumps(out))
`;

/**
 * Sends datagrams from the kernel of one net namespace and reads them in another with a raw packet socket that asks for nothing beside
 * the packet, as old DHCP clients do.
 */
export async function readRaw(options: {
  readonly from: string;
  readonly to: string;
  /** Of the same name on both sides. */
  readonly device: string;
  readonly address: string;
  /** Bytes of payload of each. */
  readonly sizes: readonly number[];
  /** Types of VLAN tags before the IP header, outer first. */
  readonly tags: readonly number[];
}): Promise<readonly RawDatagram[]> {
  const { stdout } = await run("python3", ["-c", program, JSON.stringify(options)]);
  // What the program above prints.
  return JSON.parse(stdout) as RawDatagram[];
}

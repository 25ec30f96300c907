import { run } from "../../agent/host/exec.js";

/**
 * A socket stays in the namespace in which it was made. The kernel takes the outer VLAN tag out of what a packet socket gets and tells
 * it beside (263, 8: SOL_PACKET, PACKET_AUXDATA of linux/if_packet.h); it is put back.
 */
const sockets = `
import ctypes, json, os, select, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def socket_in(place):
    fd = os.open("/run/netns/" + place["netns"], os.O_RDONLY)
    if libc.setns(fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((place["device"], 3))
    made.setsockopt(263, 8, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4000000)
    return made
def receive(sock):
    frame, ancillary, _, address = sock.recvmsg(65536, 256)
    if address[2] == socket.PACKET_OUTGOING:
        return b""
    for _, _, data in ancillary:
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
        if status & 16:
            frame = frame[:12] + struct.pack("!HH", tpid if status & 64 else 0x8100, tci) + frame[12:]
    return frame
`;

const crossing = `
order = json.load(sys.stdin)
frames = [bytes.fromhex(text) for text in order["frames"]]
targets = [socket_in(place) for place in order["to"]]
source = socket_in(order["from"])
came = [set() for _ in targets]
wanted = [set(one) for one in order["wanted"]]
def hear(until, is_enough):
    while time.monotonic() < until and not is_enough():
        ready, _, _ = select.select(targets, [], [], max(0, until - time.monotonic()))
        for sock in ready:
            got = receive(sock)
            for index, frame in enumerate(frames):
                # Short frames may have been filled up on their way.
                if got[:len(frame)] == frame:
                    came[targets.index(sock)].add(index)
for frame in frames:
    source.send(frame)
hear(time.monotonic() + order["seconds"], lambda: all(some <= one for some, one in zip(wanted, came)))
# Those that are not to come would be there with the others.
hear(time.monotonic() + 0.5, lambda: False)
print(json.dumps([sorted(one) for one in came]))
`;

const hearing = `
order = json.load(sys.stdin)
targets = [socket_in(place) for place in order["at"]]
counts = [0 for _ in targets]
deadline = time.monotonic() + order["seconds"]
while time.monotonic() < deadline:
    ready, _, _ = select.select(targets, [], [], max(0, deadline - time.monotonic()))
    for sock in ready:
        if receive(sock)[12:14] == struct.pack("!H", order["ethertype"]):
            counts[targets.index(sock)] += 1
print(json.dumps(counts))
`;

/** A network device. */
export interface Place {
  readonly netns: string;
  readonly device: string;
}

/** A busy host may need this long for what a quiet one does at once. */
const timeoutMs = 150_000;

/**
 * Sends frames from one device and says which of them, by index, came out at others, unchanged. It waits until those have
 * come that are `wanted`, and then listens for half a second for others.
 */
export async function crossFrames(options: {
  readonly from: Place;
  readonly to: readonly Place[];
  readonly frames: readonly Buffer[];
  /** Of each of `to` the frames that should come. */
  readonly wanted: readonly (readonly number[])[];
  /** How long it waits for those at most; default 60. */
  readonly seconds?: number | undefined;
}): Promise<number[][]> {
  const frames = options.frames.map((frame) => frame.toString("hex"));
  const input = JSON.stringify({ ...options, frames, seconds: options.seconds ?? 60 });
  const { stdout } = await run("python3", ["-c", sockets + crossing], { input, timeoutMs });
  // Our own script printed it.
  return JSON.parse(stdout) as number[][];
}

/** Listens at devices and counts the frames of an ethertype that come to each. */
export async function hearEthertype(options: {
  readonly at: readonly Place[];
  readonly ethertype: number;
  readonly seconds: number;
}): Promise<number[]> {
  const { stdout } = await run("python3", ["-c", sockets + hearing], { input: JSON.stringify(options), timeoutMs });
  // Our own script printed it.
  return JSON.parse(stdout) as number[];
}

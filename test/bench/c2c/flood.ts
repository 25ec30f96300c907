import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import koffi from "koffi";
import { run } from "../../../agent/host/exec.js";
import { NativeMemory } from "../../../lib/libc.js";
import { spawnOwned } from "../../helpers/owned.js";
import { readMac, type Station } from "./hosts.js";
import type { BenchPath } from "./path.js";

/** A frame of 64 bytes on an ethernet wire has 60 without its checksum. */
const frameBytes = 60;
const batch = 64;
const mmsghdrBytes = 64;

/** First word of the arguments that make the benchmark's own program a sender of frames. */
export const floodVerb = "flood";

/** Frames of 64 bytes that arrive at b in a second while a sends as many as it can. */
export async function measureFlood(path: BenchPath, seconds: number, signal: AbortSignal): Promise<number> {
  const mac = await readMac(path.b.netns, path.b.device);
  const program = process.argv[1] ?? "";
  const argv = ["netns", "exec", path.a.netns, process.execPath, program, floodVerb, path.a.device, mac];
  const sender = spawnOwned("ip", argv, { stdio: ["ignore", "pipe", "inherit"], signal });
  const ended = once(sender, "close");
  // An abort is told by the waits below.
  sender.on("error", () => undefined);
  try {
    await once(sender.stdout, "data", { signal });
    await delay(300, undefined, { signal });
    const [before, beganMs] = [await receivedFrames(path.b), performance.now()];
    await delay(seconds * 1_000, undefined, { signal });
    const [after, endedMs] = [await receivedFrames(path.b), performance.now()];
    return (after - before) / ((endedMs - beganMs) / 1_000);
  } finally {
    sender.kill("SIGKILL");
    await ended;
  }
}

async function receivedFrames({ netns, device }: Station): Promise<number> {
  const { stdout } = await run("ip", ["-n", netns, "-j", "-s", "link", "show", "dev", device]);
  // iproute2 prints an array with one object for one device.
  const [link] = JSON.parse(stdout) as [{ readonly stats64: { readonly rx: { readonly packets: number } } }];
  return link.stats64.rx.packets;
}

/** Sends UDP frames of 64 bytes out of a device until it is killed. The address they go to is nobody's, so that nobody answers. */
export function flood(device: string, mac: string): never {
  const send = openSender(device, mac);
  process.stdout.write("sending\n");
  // A device whose queue is full refuses frames with ENOBUFS; the next batch may find room.
  for (;;) send(batch);
}

/** Opens a device to send such frames out of it: up to 64 at a time; what is called gives how many went. */
export function openSender(device: string, mac: string): (count: number) => number {
  const libc = koffi.load("libc.so.6");
  // koffi types every function as (...args: any[]) => any; the declared C prototypes make these casts true.
  const call = (prototype: string) => libc.func(prototype) as unknown as (...numbers: number[]) => number;
  const socket = call("int socket(int family, int type, int protocol)");
  const bind = call("int bind(int fd, size_t address, uint length)");
  const ifNameToIndex = libc.func("uint if_nametoindex(const char *name)") as unknown as (name: string) => number;
  const sendmmsg = call("int sendmmsg(int fd, size_t messages, uint count, int flags)");
  const [AF_PACKET, SOCK_RAW, ETH_P_IP] = [17, 3, 0x0800];

  const fd = socket(AF_PACKET, SOCK_RAW, 0);
  const address = new NativeMemory(20);
  address.buffer.fill(0);
  address.buffer.writeUInt16LE(AF_PACKET, 0);
  address.buffer.writeUInt16BE(ETH_P_IP, 2);
  address.buffer.writeInt32LE(ifNameToIndex(device), 4);
  if (fd < 0 || bind(fd, address.address, 20) !== 0) throw new Error(`cannot send frames out of ${device}`);
  const frame = new NativeMemory(frameBytes);
  frame.buffer.set(udpFrame(mac));
  const vector = new NativeMemory(16);
  vector.buffer.writeBigUInt64LE(BigInt(frame.address), 0);
  vector.buffer.writeBigUInt64LE(BigInt(frameBytes), 8);
  const messages = new NativeMemory(batch * mmsghdrBytes);
  messages.buffer.fill(0);
  for (let index = 0; index < batch; index += 1) {
    messages.buffer.writeBigUInt64LE(BigInt(vector.address), index * mmsghdrBytes + 16);
    messages.buffer.writeBigUInt64LE(1n, index * mmsghdrBytes + 24);
  }
  return (count) => Math.max(0, sendmmsg(fd, messages.address, Math.min(count, batch), 0));
}

function udpFrame(mac: string): Buffer {
  const frame = Buffer.alloc(frameBytes);
  Buffer.from(mac.replaceAll(":", ""), "hex").copy(frame, 0);
  Buffer.from("020000000001", "hex").copy(frame, 6);
  frame.writeUInt16BE(0x0800, 12);
  // IPv4 without options, then UDP; from and to TEST-NET-2 (RFC 5737).
  Buffer.from("4500002e000000004011", "hex").copy(frame, 14);
  Buffer.from("c6336401c6336402", "hex").copy(frame, 26);
  frame.writeUInt16BE(ipChecksum(frame.subarray(14, 34)), 24);
  Buffer.from("30393039001a0000", "hex").copy(frame, 34);
  return frame;
}

function ipChecksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

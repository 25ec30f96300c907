import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { SystemCallError } from "../../lib/libc.js";
import type { CallOptions } from "./instance-networks.js";
import { PacketSocket } from "./packet-socket.js";

/** An interface that frames are sent from. */
export interface Nearby {
  /** Named net namespace. */
  readonly netns: string;
  readonly ifindex: number;
  /** Its MAC address, "02:00:00:00:00:01". */
  readonly mac: string;
}

const arpEthertype = 0x0806;
const broadcast = Buffer.alloc(6, 0xff);
const pollMs = 20;
const framesAtOnce = 256;
/** Who has an address answers a probe in far less; a guest that is emulated and busy may take this long. */
const [probes, probeMs] = [3, 150];
const tries = 16;

/**
 * Finds an IPv4 address of a subnet that nobody answers for (RFC 5227's probe, which changes nobody's table). Resolves to undefined when all
 * that were tried are taken. @param taken addresses that are somebody's even if he does not answer.
 */
export async function findFreeAddress(
  from: Nearby,
  { network, prefix, taken }: { readonly network: string; readonly prefix: number; readonly taken: readonly string[] },
  { signal }: CallOptions,
): Promise<string | undefined> {
  const size = 2 ** (32 - prefix);
  if (size < 4) return undefined;
  const base = toNumber(network) - (toNumber(network) % size);
  const own = macBytes(from.mac);
  const socket = PacketSocket.open(from, { destination: own, ethertype: arpEthertype });
  try {
    for (let count = 0; count < tries; count += 1) {
      const candidate = toText(base + randomInt(1, size - 1));
      if (taken.includes(candidate)) continue;
      if (!(await answers(socket, own, candidate, signal))) return candidate;
    }
    return undefined;
  } finally {
    socket.close();
  }
}

/**
 * Listens for what the owner of a MAC address asks or tells its neighbours, and so learns an address of it: one of IPv4 (ARP), or of IPv6
 * that is not only of its link (neighbour discovery), whichever it shows first. Undefined when it shows none in time.
 */
export async function learnAddress(
  from: Nearby,
  mac: string,
  { signal, limitMs }: CallOptions & { readonly limitMs: number },
): Promise<string | undefined> {
  const owner = macBytes(mac);
  using sockets = new DisposableStack();
  const arp = PacketSocket.open(from, { destination: broadcast, ethertype: arpEthertype });
  sockets.defer(() => arp.close());
  const discovery = PacketSocket.open(from, "icmpv6");
  sockets.defer(() => discovery.close());
  for (const deadline = performance.now() + limitMs; performance.now() < deadline; ) {
    for (const frame of received(arp)) {
      const address = senderOf(frame, owner);
      if (address !== undefined && address !== "0.0.0.0") return address;
    }
    for (const frame of received(discovery)) {
      const address = neighbourOf(frame, owner);
      if (address !== undefined) return address;
    }
    await delay(pollMs, undefined, { signal });
  }
  return undefined;
}

async function answers(socket: PacketSocket, own: Buffer, address: string, signal: AbortSignal): Promise<boolean> {
  for (let count = 0; count < probes; count += 1) {
    send(socket, probe(own, address));
    for (const deadline = performance.now() + probeMs; performance.now() < deadline; ) {
      for (const frame of received(socket)) {
        if (senderOf(frame) === address) return true;
      }
      await delay(pollMs, undefined, { signal });
    }
  }
  return false;
}

/** What has come. A guest may send faster than it is read: then others have their turn in between. */
function* received(socket: PacketSocket): Iterable<Buffer> {
  for (let count = 0; count < framesAtOnce; count += 1) {
    const frame = socket.receive();
    if (frame === undefined) return;
    yield frame;
  }
}

/** A frame that finds no room is one that is lost. */
function send(socket: PacketSocket, frame: Buffer): void {
  try {
    socket.send(frame);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
  }
}

/** An ARP request for an address from nobody (RFC 826, RFC 5227). */
function probe(own: Buffer, address: string): Buffer {
  const fixed = Buffer.from([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
  const [nobody, nowhere] = [Buffer.alloc(4), Buffer.alloc(6)];
  return Buffer.concat([broadcast, own, fixed, own, nobody, nowhere, addressBytes(address), Buffer.alloc(18)]);
}

/** The sender's IPv4 address in an ARP frame, of this owner only. */
function senderOf(frame: Buffer, owner?: Buffer): string | undefined {
  const isArp = frame.length >= 42 && frame.readUInt16BE(14) === 1 && frame.readUInt16BE(16) === 0x0800;
  if (!isArp || (owner !== undefined && !frame.subarray(22, 28).equals(owner))) return undefined;
  return toText(frame.readUInt32BE(28));
}

const icmpv6 = {
  nextHeader: 58,
  routerSolicitation: 133,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
} as const;

/**
 * The address that its owner shows in a message of neighbour discovery (RFC 4861): the sender's, or, of one that looks whether an address is
 * free (RFC 4862) or tells that it has one, that address. None that is only of its link, or many's.
 */
export function neighbourOf(frame: Buffer, owner: Buffer): string | undefined {
  if (frame.length < 62 || !frame.subarray(6, 12).equals(owner)) return undefined;
  // A router lets no such message through: with every hop left it is of this link.
  const isDiscovery = frame.readUInt16BE(12) === 0x86dd && frame[20] === icmpv6.nextHeader && frame[21] === 255;
  if (!isDiscovery) return undefined;
  const [type, source] = [frame[54], frame.subarray(22, 38)];
  if (type === icmpv6.routerSolicitation) return toText6(source);
  if (frame.length < 78) return undefined;
  const target = frame.subarray(62, 78);
  if (type === icmpv6.neighbourAdvertisement) return toText6(target);
  if (type !== icmpv6.neighbourSolicitation) return undefined;
  return toText6(source.every((byte) => byte === 0) ? target : source);
}

/** Unicast addresses beyond the link: 2000::/3 and fc00::/7. */
function toText6(address: Buffer): string | undefined {
  const first = address[0] ?? 0;
  if ((first & 0xe0) !== 0x20 && (first & 0xfe) !== 0xfc) return undefined;
  const groups = address.toString("hex").match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

function addressBytes(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

function toNumber(address: string): number {
  return addressBytes(address).readUInt32BE(0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".");
}

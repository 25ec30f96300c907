import { macText } from "./addresses.js";
import { decodeArp } from "./arp.js";
import { beginLayer, type Frame, type FrameDraft } from "./frame.js";
import { FrameCut, FrameReader } from "./frame-reader.js";
import { decodeIpv4, decodeIpv6 } from "./ip.js";
import { decodeLldp } from "./lldp.js";

/** Tags in a row that are read; who nests more means harm. */
const mostTags = 4;
const tagTypes: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** Below it the field is a length (IEEE 802.3). */
const leastType = 0x600;

const etherTypes: ReadonlyMap<number, string> = new Map([
  [0x0800, "IPv4"],
  [0x0806, "ARP"],
  [0x86dd, "IPv6"],
  [0x8847, "MPLS"],
  [0x8848, "MPLS"],
  [0x8863, "PPPoE"],
  [0x8864, "PPPoE"],
  [0x8809, "LACP"],
  [0x888e, "802.1X"],
  [0x88cc, "LLDP"],
  [0x88e5, "MACsec"],
  [0x88f7, "PTP"],
  [0x88b5, "experimental"],
]);

/** Reads an ethernet frame. Never throws, whatever it holds. */
export function decodeFrame(data: Buffer): Frame {
  const draft: FrameDraft = { source: "", destination: "", protocol: "Ethernet", info: "", layers: [] };
  let isCut = false;
  try {
    decodeEthernet(new FrameReader(data), draft);
  } catch (error) {
    if (!(error instanceof FrameCut)) throw error;
    isCut = true;
  }
  for (const layer of draft.layers) layer.to = Math.min(Math.max(layer.to, layer.from), data.length);
  return { ...draft, isCut };
}

function decodeEthernet(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "Ethernet", 0);
  layer.to = reader.end;
  draft.destination = macText(reader.bytes(6));
  draft.source = macText(reader.bytes(6));
  layer.fields.push(`to ${draft.destination}`, `from ${draft.source}`);
  let type = reader.u16();
  layer.to = reader.at;
  const tags: number[] = [];
  while (tagTypes.has(type) && tags.length < mostTags) {
    const tag = beginLayer(draft, type === 0x8100 ? "VLAN" : "VLAN (outer)", reader.at - 2);
    tag.to = reader.at;
    const control = reader.u16();
    type = reader.u16();
    tag.to = reader.at;
    tags.push(control & 0xfff);
    tag.fields.push(`id ${control & 0xfff}`, `priority ${control >> 13}`, `type ${typeText(type)}`);
  }
  layer.fields.push(type < leastType ? `length ${type}` : `type ${typeText(type)}`);
  decodeContent(type, reader, draft);
  if (tags.length > 0) draft.info = `vlan ${tags.join("/")} ${draft.info}`.trimEnd();
}

function decodeContent(type: number, reader: FrameReader, draft: FrameDraft): void {
  if (type < leastType) {
    reader.limit(type);
    decodeLlc(reader, draft);
    return;
  }
  switch (type) {
    case 0x0806:
      decodeArp(reader, draft);
      return;
    case 0x0800:
      decodeIpv4(reader, draft);
      return;
    case 0x86dd:
      decodeIpv6(reader, draft);
      return;
    case 0x88cc:
      decodeLldp(reader, draft);
      return;
    default: {
      draft.protocol = etherTypes.get(type) ?? "Ethernet";
      draft.info = `type ${typeText(type)}, ${reader.left} bytes`;
    }
  }
}

/** What has a length and no type: bridges among themselves, mostly. */
function decodeLlc(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "LLC", reader.at);
  const [destination, source, control] = [reader.u8(), reader.u8(), reader.u8()];
  layer.to = reader.at;
  layer.fields.push(`to 0x${hex(destination, 2)}`, `from 0x${hex(source, 2)}`, `control 0x${hex(control, 2)}`);
  if (destination !== 0x42 || source !== 0x42) return;
  const tree = beginLayer(draft, "STP", reader.at);
  tree.to = reader.end;
  reader.skip(2);
  const version = reader.u8();
  const type = reader.u8();
  const name = type === 0x80 ? "topology has changed" : version >= 2 ? "rapid spanning tree" : "spanning tree";
  tree.fields.push(`version ${version}`, `type ${type}`);
  draft.info = name;
  if (type === 0x80) return;
  const flags = reader.u8();
  const priority = reader.u16();
  const root = macText(reader.bytes(6));
  const cost = reader.u32();
  tree.fields.push(`flags 0x${hex(flags, 2)}`, `root ${priority}/${root}`, `cost ${cost}`);
  draft.info = `${name}, root ${priority}/${root}, cost ${cost}`;
}

function typeText(type: number): string {
  const name = etherTypes.get(type);
  return name === undefined ? `0x${hex(type, 4)}` : `0x${hex(type, 4)} ${name}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

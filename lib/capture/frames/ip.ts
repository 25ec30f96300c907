import { ipv4Text, ipv6Text } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";
import { decodeIcmp, decodeIcmp6 } from "./icmp.js";
import { decodeTcp, decodeUdp } from "./transport.js";

const protocols: Readonly<Record<number, string>> = {
  ...{ 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "IPv6 in IP", 47: "GRE", 50: "ESP", 51: "AH" },
  ...{ 58: "ICMPv6", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP" },
};
/** Headers of IPv6 between its own and the transport's. */
const extensions: Readonly<Record<number, string>> = {
  ...{ 0: "hop by hop", 43: "routing", 44: "fragment", 60: "destination" },
};
const mostExtensions = 8;

/** RFC 791. */
export function decodeIpv4(reader: FrameReader, draft: FrameDraft): void {
  const start = reader.at;
  const layer = beginLayer(draft, "IPv4", start);
  const headBytes = (reader.u8() & 0xf) * 4;
  const service = reader.u8();
  const total = reader.u16();
  const id = reader.u16();
  const fragment = reader.u16();
  const ttl = reader.u8();
  const protocol = reader.u8();
  reader.skip(2);
  draft.source = ipv4Text(reader.bytes(4));
  draft.destination = ipv4Text(reader.bytes(4));
  layer.to = reader.at;
  layer.fields.push(
    `from ${draft.source}`,
    `to ${draft.destination}`,
    `protocol ${protocolText(protocol)}`,
    `ttl ${ttl}`,
    `length ${total}, id ${id}, service 0x${service.toString(16).padStart(2, "0")}`,
  );
  if (headBytes > 20) reader.skip(headBytes - 20);
  layer.to = reader.at;
  // Behind it there may be padding of the frame. 0: whoever sent it lets its card cut it into segments.
  if (total > 0) reader.limit(total - (reader.at - start));
  const offset = (fragment & 0x1fff) * 8;
  const isMore = (fragment & 0x2000) !== 0;
  if ((fragment & 0x4000) !== 0) layer.fields.push("must not be fragmented");
  if (offset === 0 && !isMore) decodeTransport(protocol, reader, draft);
  else {
    layer.fields.push(`fragment at ${offset}${isMore ? "" : ", the last"}`);
    draft.info = `${protocolText(protocol)} fragment at ${offset}${isMore ? "" : ", the last"}, id ${id}`;
  }
}

/** RFC 8200. */
export function decodeIpv6(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "IPv6", reader.at);
  const first = reader.u32();
  const length = reader.u16();
  let next = reader.u8();
  const hops = reader.u8();
  draft.source = ipv6Text(reader.bytes(16));
  draft.destination = ipv6Text(reader.bytes(16));
  layer.to = reader.at;
  layer.fields.push(
    `from ${draft.source}`,
    `to ${draft.destination}`,
    `hops ${hops}`,
    `length ${length}, class 0x${((first >>> 20) & 0xff).toString(16).padStart(2, "0")}, flow ${first & 0xfffff}`,
  );
  if (length > 0) reader.limit(length);
  for (let count = 0; extensions[next] !== undefined && count < mostExtensions; count += 1) {
    layer.fields.push(`${extensions[next] ?? ""} header`);
    const isFragment = next === 44;
    next = reader.u8();
    const more = reader.u8();
    if (isFragment) {
      const where = reader.u16();
      const id = reader.u32();
      layer.to = reader.at;
      if ((where & 0xfff8) !== 0 || (where & 1) !== 0) {
        draft.info = `${protocolText(next)} fragment at ${where & 0xfff8}${(where & 1) === 0 ? ", the last" : ""}, id ${id}`;
        return;
      }
    } else reader.skip(6 + more * 8);
    layer.to = reader.at;
  }
  layer.fields.push(`protocol ${protocolText(next)}`);
  decodeTransport(next, reader, draft);
}

function decodeTransport(protocol: number, reader: FrameReader, draft: FrameDraft): void {
  switch (protocol) {
    case 1:
      decodeIcmp(reader, draft);
      return;
    case 6:
      decodeTcp(reader, draft);
      return;
    case 17:
      decodeUdp(reader, draft);
      return;
    case 58:
      decodeIcmp6(reader, draft);
      return;
    case 59:
      draft.info = "nothing follows";
      return;
    default:
      draft.protocol = protocols[protocol] ?? draft.protocol;
      draft.info = `protocol ${protocolText(protocol)}, ${reader.left} bytes`;
  }
}

function protocolText(protocol: number): string {
  const name = protocols[protocol];
  return name === undefined ? `${protocol}` : `${protocol} ${name}`;
}

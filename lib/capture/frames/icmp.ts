import { ipv6Text } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

const types: Readonly<Record<number, string>> = {
  ...{ 0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 9: "router advertisement" },
  ...{
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp",
    14: "timestamp reply",
  },
};
const unreachable: Readonly<Record<number, string>> = {
  ...{ 0: "network", 1: "host", 2: "protocol", 3: "port", 4: "too large for the next hop", 9: "network forbidden" },
  ...{ 10: "host forbidden", 13: "forbidden" },
};
const types6: Readonly<Record<number, string>> = {
  ...{ 1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request" },
  ...{ 129: "echo reply", 130: "multicast query", 131: "multicast report", 132: "multicast done" },
  ...{ 133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation" },
  ...{ 136: "neighbour advertisement", 137: "redirect", 143: "multicast report" },
};

/** RFC 792. */
export function decodeIcmp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "ICMP", reader.at);
  layer.to = reader.end;
  const [type, code] = [reader.u8(), reader.u8()];
  reader.skip(2);
  const name = types[type] ?? `type ${type}`;
  layer.fields.push(`type ${type} ${types[type] ?? ""}`.trimEnd(), `code ${code}`);
  draft.info = type === 3 ? `${unreachable[code] ?? `code ${code}`}: unreachable` : name;
  if (type === 0 || type === 8) draft.info = echo(name, reader, layer.fields);
  else if (type === 3 && code === 4) {
    reader.skip(2);
    draft.info = `too large for the next hop, which takes ${reader.u16()}`;
  }
}

/** RFC 4443 and RFC 4861. */
export function decodeIcmp6(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "ICMPv6", reader.at);
  layer.to = reader.end;
  const [type, code] = [reader.u8(), reader.u8()];
  reader.skip(2);
  const name = types6[type] ?? `type ${type}`;
  layer.fields.push(`type ${type} ${types6[type] ?? ""}`.trimEnd(), `code ${code}`);
  draft.info = name;
  if (type === 128 || type === 129) draft.info = echo(name, reader, layer.fields);
  else if (type === 2) draft.info = `${name}: the next hop takes ${reader.u32()}`;
  else if (type === 135 || type === 136) {
    reader.skip(4);
    const target = ipv6Text(reader.bytes(16));
    layer.fields.push(`target ${target}`);
    draft.info = type === 135 ? `who has ${target}?` : `${target} is here`;
  }
}

function echo(name: string, reader: FrameReader, fields: string[]): string {
  const [id, sequence] = [reader.u16(), reader.u16()];
  fields.push(`id ${id}`, `sequence ${sequence}`, `${reader.left} bytes of data`);
  return `${name}, id ${id}, seq ${sequence}`;
}

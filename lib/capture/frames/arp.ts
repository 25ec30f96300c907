import { ipv4Text, macText } from "./addresses.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";

/** Address resolution (RFC 826), of IPv4 over ethernet. */
export function decodeArp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "ARP", reader.at);
  const [hardware, protocol] = [reader.u16(), reader.u16()];
  const [hardwareLength, protocolLength] = [reader.u8(), reader.u8()];
  const operation = reader.u16();
  layer.to = reader.at;
  layer.fields.push(`operation ${operation}`);
  draft.info = `operation ${operation}`;
  if (hardware !== 1 || protocol !== 0x0800 || hardwareLength !== 6 || protocolLength !== 4) return;
  const from = { mac: macText(reader.bytes(6)), ip: ipv4Text(reader.bytes(4)) };
  const to = { mac: macText(reader.bytes(6)), ip: ipv4Text(reader.bytes(4)) };
  layer.to = reader.at;
  layer.fields.push(`sender ${from.mac} ${from.ip}`, `target ${to.mac} ${to.ip}`);
  if (operation === 2) draft.info = `${from.ip} is at ${from.mac}`;
  else if (from.ip === to.ip) draft.info = `${from.ip} announces itself`;
  else draft.info = `who has ${to.ip}? tell ${from.ip}`;
}

import { decodeDhcp } from "./dhcp.js";
import { decodeDns } from "./dns.js";
import { beginLayer, type FrameDraft } from "./frame.js";
import type { FrameReader } from "./frame-reader.js";
import { decodeHttp } from "./http.js";

const flagNames = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"] as const;

/** What is mostly spoken at a port; read no further. */
const services: Readonly<Record<number, string>> = {
  ...{ 20: "FTP data", 21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 69: "TFTP", 80: "HTTP", 88: "Kerberos" },
  ...{ 110: "POP3", 123: "NTP", 143: "IMAP", 161: "SNMP", 162: "SNMP", 179: "BGP", 389: "LDAP", 443: "TLS" },
  ...{ 445: "SMB", 500: "IKE", 514: "syslog", 520: "RIP", 546: "DHCPv6", 547: "DHCPv6", 646: "LDP", 1900: "SSDP" },
  ...{ 2049: "NFS", 3784: "BFD", 4500: "IKE", 4789: "VXLAN", 5900: "VNC", 6081: "GENEVE", 6343: "sFlow" },
};

/** RFC 9293. */
export function decodeTcp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "TCP", reader.at);
  const start = reader.at;
  const [source, destination] = [reader.u16(), reader.u16()];
  const [sequence, acknowledged] = [reader.u32(), reader.u32()];
  const headBytes = (reader.u8() >> 4) * 4;
  const bits = reader.u8();
  const window = reader.u16();
  reader.skip(4);
  layer.to = reader.at;
  const flags = flagNames.filter((_, bit) => (bits & (1 << bit)) !== 0).join(" ");
  layer.fields.push(
    `port ${portText(source)} to ${portText(destination)}`,
    `flags ${flags === "" ? "none" : flags}`,
    `sequence ${sequence}, acknowledges ${acknowledged}`,
    `window ${window}`,
  );
  const dataBytes = Math.max(0, reader.left - Math.max(0, start + headBytes - reader.at));
  layer.fields.push(`${dataBytes} bytes of data`);
  draft.info = `${source} > ${destination} [${flags}] ${dataBytes} bytes`;
  if (headBytes > 20) reader.skip(headBytes - 20);
  layer.to = reader.at;
  if (!decodeHttp(reader, draft)) nameService(draft, source, destination, dataBytes);
}

/** RFC 768. */
export function decodeUdp(reader: FrameReader, draft: FrameDraft): void {
  const layer = beginLayer(draft, "UDP", reader.at);
  const [source, destination] = [reader.u16(), reader.u16()];
  const length = reader.u16();
  reader.skip(2);
  layer.to = reader.at;
  layer.fields.push(`port ${portText(source)} to ${portText(destination)}`, `length ${length}`);
  draft.info = `${source} > ${destination} ${Math.max(0, length - 8)} bytes`;
  if (length >= 8) reader.limit(length - 8);
  const ports = [source, destination];
  if (ports.some((port) => port === 53 || port === 5353))
    decodeDns(reader, draft, ports.includes(5353) ? "mDNS" : "DNS");
  else if (ports.some((port) => port === 67 || port === 68)) decodeDhcp(reader, draft);
  else nameService(draft, source, destination, reader.left);
}

function nameService(draft: FrameDraft, source: number, destination: number, dataBytes: number): void {
  const name = services[Math.min(source, destination)] ?? services[destination] ?? services[source];
  if (name !== undefined && dataBytes > 0) draft.protocol = name;
}

function portText(port: number): string {
  const name = services[port];
  return name === undefined ? `${port}` : `${port} (${name})`;
}

import ipaddr from "ipaddr.js";

/** Version, address type, address, sub-agent (sFlow version 5, section 5). */
const [version, typeAt, addressAt] = [5, 4, 8];
const addressBytes: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [2, 16],
]);
const subAgentBytes = 4;

/** Who a datagram of sFlow is said to be of. */
export interface SflowSource {
  readonly address: string;
  readonly subAgent: number;
}

/**
 * A datagram of sFlow as if another agent had made it: the switch knows no address but that of the loopback of its namespace, and gives all
 * of its bridges one sub-agent. What is no sFlow stays as it is. Pure.
 */
export function withSource(datagram: Buffer, { address, subAgent }: SflowSource): Buffer {
  if (datagram.length < addressAt || datagram.readUInt32BE(0) !== version) return datagram;
  const length = addressBytes.get(datagram.readUInt32BE(typeAt));
  const restAt = addressAt + (length ?? 0) + subAgentBytes;
  if (length === undefined || datagram.length < restAt || !ipaddr.isValid(address)) return datagram;
  const bytes = Buffer.from(ipaddr.process(address).toByteArray());
  const head = Buffer.alloc(addressAt + bytes.length + subAgentBytes);
  head.writeUInt32BE(version, 0);
  head.writeUInt32BE(bytes.length === 4 ? 1 : 2, typeAt);
  bytes.copy(head, addressAt);
  head.writeUInt32BE(subAgent >>> 0, addressAt + bytes.length);
  return Buffer.concat([head, datagram.subarray(restAt)]);
}

import { type NatForward, NatProtocol } from "../../../proto/gen/zor/v1/nat.js";

/** A forward as it is written on the command line: "127.0.0.1:8080:10.1.0.5:80/udp". */
export function forwardText({ protocol, listenAddress, listenPort, address, port }: NatForward): string {
  const udp = protocol === NatProtocol.NAT_PROTOCOL_UDP ? "/udp" : "";
  return `${listenAddress}:${listenPort}:${address}:${port}${udp}`;
}

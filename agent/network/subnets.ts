import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { z } from "zod";

/** A subnet in the agent's settings; one address is the smallest. */
export const subnetSchema = z
  .string()
  .refine(
    (text) => isIP(text) !== 0 || (/^[0-9a-fA-F:.]+\/\d+$/.test(text) && ipaddr.isValidCIDR(text)),
    'expected an address or a subnet, such as "10.0.0.9" or "10.0.0.0/24"',
  )
  .transform((text) => (text.includes("/") ? text : `${text}/${isIP(text) === 4 ? 32 : 128}`));

/** Whether an address is of a subnet; pure. */
export function isWithinSubnet(cidr: string, address: string): boolean {
  const [[network, bits], parsed] = [ipaddr.parseCIDR(cidr), ipaddr.parse(address)];
  return network.kind() === parsed.kind() && parsed.match(network, bits);
}

import ipaddr from "ipaddr.js";
import { z } from "zod";
import { matchesName } from "../name-pattern.js";

/** Where taps may be. */
export interface AllowedTaps {
  /** Name of a net namespace, or with "*" at its end the beginning of names; "host": the host's own. */
  readonly netns: string;
  /** Subnets that their addresses may be of. */
  readonly addresses: readonly string[];
}

/** One entry of the agent's setting taps. */
export const allowedTapsSchema = z.strictObject({
  netns: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\*?$/,
      'expected "host" or the name of a net namespace, such as "lab1" or "lab-*"',
    ),
  addresses: z
    .array(z.string().refine((text) => ipaddr.isValidCIDR(text), 'expected a subnet such as "10.9.0.0/16"'))
    .max(64)
    .default([]),
});

/** Name of the host's own namespace in the settings. */
const own = "host";

/** Why a tap may not be as it is to be; undefined: it may. Pure. @param netns "": the host's own. */
export function tapRefusal(
  allowed: readonly AllowedTaps[],
  { netns, addresses }: { readonly netns: string; readonly addresses: readonly string[] },
): string | undefined {
  const entries = allowed.filter((entry) => covers(entry.netns, netns === "" ? own : netns, netns !== ""));
  if (entries.length === 0) return netns === "" ? "in the host's own network" : `in net namespace ${netns}`;
  const subnets = entries.flatMap((entry) => entry.addresses);
  const stranger = addresses.find((address) => !subnets.some((subnet) => isWithin(subnet, address)));
  return stranger === undefined ? undefined : `with the address ${stranger}`;
}

/** A namespace that is called "host" is none of the host's own. */
function covers(pattern: string, name: string, isNamed: boolean): boolean {
  if (pattern === own) return !isNamed;
  if (!isNamed) return false;
  return matchesName(pattern, name);
}

/** Whether an address lies in a subnet with all of its own subnet, so that no route leads further than was allowed. */
function isWithin(subnet: string, cidr: string): boolean {
  const [[network, bits], [address, own]] = [ipaddr.parseCIDR(subnet), ipaddr.parseCIDR(cidr)];
  return network.kind() === address.kind() && own >= bits && address.match(network, bits);
}

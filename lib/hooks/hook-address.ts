import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { canonicalIp, refusalOfUnderlayIp } from "../underlay-address.js";

/** Networks in CIDR form that webhooks may go to although they are no public ones. */
export type AllowedNetworks = readonly string[];

const inside: ReadonlySet<string> = new Set(["private", "carrierGradeNat", "uniqueLocal", "benchmarking"]);

/** Why a webhook must not go to an address: completes "10.0.0.1 is ..."; undefined: it may. */
export function refusalOfHookIp(ip: string, allowed: AllowedNetworks): string | undefined {
  if (isIP(ip) === 0) return "not an IP address";
  const address = ipaddr.parse(canonicalIp(ip));
  const isAllowed = allowed.some((network) => {
    const [other, bits] = ipaddr.parseCIDR(network);
    return other.kind() === address.kind() && address.match(other, bits);
  });
  if (isAllowed) return undefined;
  const refusal = refusalOfUnderlayIp(canonicalIp(ip));
  if (refusal !== undefined) return refusal;
  return inside.has(address.range()) ? "an address of a private network" : undefined;
}

/** Whether a text is a network in CIDR form. */
export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}

type Resolve = (name: string) => Promise<LookupAddress[]>;

const resolveAll: Resolve = (name) => lookup(name, { all: true, verbatim: true });

/**
 * How the name of a webhook is resolved, in the moment in which it is connected to: only addresses that it may go to come out, and the
 * connection is made to one of those. Nobody can answer one thing when asked and another when connected to.
 */
export function guardedLookup(allowed: AllowedNetworks, resolve: Resolve = resolveAll): LookupFunction {
  return (name, options, callback) => {
    resolve(name).then(
      (found) => {
        const usable = found.filter(({ address }) => refusalOfHookIp(address, allowed) === undefined);
        const [first] = usable;
        if (first === undefined) callback(refused(name, found, allowed), "", 0);
        else if (options.all === true) callback(null, usable);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, "", 0),
    );
  };
}

function refused(name: string, found: readonly LookupAddress[], allowed: AllowedNetworks): Error {
  const [first] = found;
  if (first === undefined) return new Error(`${name} has no address`);
  return forbidden(
    `${name} leads to ${first.address}, ${refusalOfHookIp(first.address, allowed) ?? "where it may go"}`,
  );
}

/** The error of a webhook that must not go where it leads. */
export function forbidden(what: string): Error {
  return new Error(`${what}; networks that webhooks may go to are told in hookNetworks`);
}

import { z } from "zod";
import { parseHostPort } from "../../../lib/socket-address.js";
import type { RelayKeys } from "../../relay/protocol/relay-protocol.js";
import { isWithinSubnet, subnetSchema } from "../subnets.js";
import { parseController } from "./outlet-address.js";

/** Collectors that lans may tell of their traffic. */
export interface AllowedCollectors {
  readonly remotes: readonly string[];
  /** UDP ports. */
  readonly ports: readonly number[];
}

/** Controllers that lans may be given to. */
export interface AllowedControllers {
  readonly remotes: readonly string[];
  /** TCP ports. */
  readonly ports: readonly number[];
  /** Where it is reached by TLS, and only so. */
  readonly keys?: RelayKeys | undefined;
  /** Path of the socket of a controller on this host. */
  readonly socket?: string | undefined;
}

/** Ports that IANA has given to NetFlow, sFlow and IPFIX, or that are usual. */
const usualCollectors = [2055, 4739, 6343, 9995, 9996];
const usualControllers = [6633, 6653];

const ports = z.array(z.number().int().min(1).max(65_535)).min(1).max(64);
const file = z.string().regex(/^\/[^\0\n]{1,1000}$/, "expected an absolute path");

/** One entry of the agent's setting collectors. */
export const allowedCollectorsSchema = z.strictObject({
  remotes: z.array(subnetSchema).min(1).max(64),
  ports: ports.default(usualCollectors),
});

/** One entry of the agent's setting controllers. */
export const allowedControllersSchema = z
  .strictObject({
    remotes: z.array(subnetSchema).max(64).default([]),
    ports: ports.default(usualControllers),
    keys: z.strictObject({ ca: file, certificate: file, key: file }).optional(),
    socket: file.optional(),
  })
  .refine(({ remotes, socket }) => (remotes.length === 0) !== (socket === undefined), {
    message: 'expected either "remotes" or "socket"',
  })
  .refine(({ keys, socket }) => keys === undefined || socket === undefined, {
    message: '"keys" are for TLS, not for a socket',
  });

/** What the agent's settings say of what leaves lans. */
export interface OutletPolicy {
  readonly collectors: readonly AllowedCollectors[];
  readonly controllers: readonly AllowedControllers[];
}

/** Whether a lan may tell a collector; pure. @param address "ip:port", checked. */
export function mayTell({ collectors }: OutletPolicy, address: string): boolean {
  const remote = parseHostPort(address);
  return remote !== undefined && collectors.some((entry) => leadsTo(entry, remote));
}

/** The entry by which a lan may be given to a controller; undefined: it may not; pure. @param target checked. */
export function findAllowedController({ controllers }: OutletPolicy, target: string): AllowedControllers | undefined {
  const wanted = parseController(target);
  if (wanted === undefined) return undefined;
  if (wanted.kind === "unix") return controllers.find(({ socket }) => socket === wanted.path);
  const isTls = wanted.kind === "ssl";
  return controllers.find((entry) => (entry.keys !== undefined) === isTls && leadsTo(entry, wanted));
}

/** Why a lan may not have what its specification says; completes "this host lets no lan …"; undefined: it may; pure. */
export function outletRefusal(
  policy: OutletPolicy,
  { collectors, controllers }: { readonly collectors: readonly string[]; readonly controllers: readonly string[] },
): string | undefined {
  const collector = collectors.find((address) => !mayTell(policy, address));
  if (collector !== undefined) return `tell ${collector} of its traffic; the agent's setting collectors could`;
  const target = controllers.find((each) => findAllowedController(policy, each) === undefined);
  if (target === undefined) return undefined;
  const keys = target.startsWith("ssl:") ? ", with keys" : "";
  return `be given to ${target}; the agent's setting controllers could${keys}`;
}

function leadsTo(
  entry: { readonly remotes: readonly string[]; readonly ports: readonly number[] },
  { host, port }: { readonly host: string; readonly port: number },
): boolean {
  return entry.ports.includes(port) && entry.remotes.some((subnet) => isWithinSubnet(subnet, host));
}

import { createHash } from "node:crypto";
import { join } from "node:path";
import { invalidArgument } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";

/** Everything of every demo is below this directory. Short: unix socket paths are limited to 107 bytes. */
export const demosDirectory = "/var/lib/zor-demo";

/** TCP port of an agent's API, in its own net namespace. */
const agentPort = 7443;
/** TCP port of a host's cable engine, in its own net namespace. */
const cablePort = 7444;
/** First port of the first demo's hub. Below the ephemeral range, clear of the defaults 7440 to 7444 of a real hub. */
const firstHubPort = 17440;
/** How many demos fit into 198.18.0.0/15 with 16 addresses each, and how many into the ports. */
export const blockCount = 1024;

/** One of the two hosts of a demo. */
export interface HostLayout {
  /** "alpha" or "beta". */
  readonly id: string;
  readonly state: string;
  /** Net namespace of the agent: the host's underlay. */
  readonly namespace: string;
  /** Net namespace of the host's lans; made by the agent. */
  readonly switchNamespace: string;
  /** Interface towards the host in the root namespace, and the hub's address on it. */
  readonly hubInterface: string;
  readonly hubAddress: string;
  /** The host's address towards the hub. */
  readonly address: string;
  /** The host's address towards the other host. */
  readonly underlayAddress: string;
  /** "ip:port" of the agent's API and of the cable engine. */
  readonly agentAddress: string;
  readonly cableAddress: string;
}

/** Where everything of a demo is. A function of its name and block only. */
export interface DemoLayout {
  readonly name: string;
  /** Which 16 addresses and 4 ports are the demo's own; 0 to {@link blockCount} - 1. */
  readonly block: number;
  readonly directory: string;
  /** What every namespace of the demo begins with. */
  readonly namespacePrefix: string;
  readonly hubState: string;
  /** "ip:port" of the hub's four listeners as this machine dials them. */
  readonly hubMain: string;
  readonly hubJoin: string;
  readonly hubReverse: string;
  readonly hubRelay: string;
  readonly hosts: readonly [HostLayout, HostLayout];
}

/** Checks a demo's name: it becomes part of namespace and path names of limited length. */
export function parseDemoName(value: string): string {
  if (/^[a-z][a-z0-9]{0,11}$/.test(value)) return value;
  throw invalidArgument(
    "ZOR_DEMO",
    `${quote(value)} is not a demo name: use 1 to 12 lower-case letters or digits, starting with a letter`,
  );
}

/** The block a demo would like; the default demo has the first. */
export function preferredBlock(name: string): number {
  if (name === "demo") return 0;
  return 1 + (createHash("sha256").update(name).digest().readUInt32BE(0) % (blockCount - 1));
}

/** The part of the layout that does not depend on the block. */
export function demoDirectory(name: string): string {
  return join(demosDirectory, name);
}

/** What every net namespace of a demo begins with. Names hold no "-", so no demo's prefix is another's. */
function namespacePrefix(name: string): string {
  return `zor-${name}-`;
}

/** Lays a demo out. */
export function layOut(name: string, block: number): DemoLayout {
  const directory = demoDirectory(name);
  const port = firstHubPort + 4 * block;
  const host = (id: string, interfaceSuffix: string, offset: number, underlayOffset: number): HostLayout => ({
    id,
    state: join(directory, id),
    namespace: `${namespacePrefix(name)}${id}`,
    switchNamespace: `${namespacePrefix(name)}${id}-lan`,
    hubInterface: `zd${block}${interfaceSuffix}`,
    hubAddress: addressOf(block, offset),
    address: addressOf(block, offset + 1),
    underlayAddress: addressOf(block, underlayOffset),
    agentAddress: `${addressOf(block, offset + 1)}:${agentPort}`,
    cableAddress: `${addressOf(block, underlayOffset)}:${cablePort}`,
  });
  return {
    name,
    block,
    directory,
    namespacePrefix: namespacePrefix(name),
    hubState: join(directory, "hub"),
    hubMain: `127.0.0.1:${port}`,
    hubJoin: `127.0.0.1:${port + 1}`,
    hubReverse: `127.0.0.1:${port + 2}`,
    hubRelay: `127.0.0.1:${port + 3}`,
    hosts: [host("alpha", "a", 1, 9), host("beta", "b", 5, 10)],
  };
}

/** The hub's listeners on the wires to the hosts, "ip:port" each. */
export function hubListeners(layout: DemoLayout, loopback: string): string[] {
  const port = loopback.slice(loopback.lastIndexOf(":"));
  return [loopback, ...layout.hosts.map((host) => `${host.hubAddress}${port}`)];
}

/** Address `offset` of a block of 198.18.0.0/15, the range kept for benchmarks: nothing real is shadowed (RFC 2544). */
function addressOf(block: number, offset: number): string {
  const value = block * 16 + offset;
  return `198.${18 + (value >> 16)}.${(value >> 8) & 255}.${value & 255}`;
}

import { isVia } from "./fleet/ssh-ways.js";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { hookSettings } from "../lib/hooks/hook-config.js";
import { allowedListenSchema, usualListen } from "../lib/listen-policy.js";
import { metricsSettings } from "../lib/metrics/metrics-config.js";
import { tracesSettings } from "../lib/traces/traces-config.js";
import { isId } from "../lib/names.js";
import { addressForm, formatHostPort, parseHostPort } from "../lib/socket-address.js";
import { canonicalIp } from "../lib/underlay-address.js";
import { userDirectory } from "../lib/user-directories.js";
import { splitAddress } from "./kit/split-address.js";

const id = z
  .string()
  .refine(
    (text): boolean => isId(text),
    'use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit',
  );
const address = z.string().refine((text) => parseHostPort(text) !== undefined, `expected ${addressForm}`);
const absolutePath = z.string().refine((path) => isAbsolute(path), "expected an absolute path");
const sshServer = z.string().refine(isVia, "expected ssh://user@host or ssh://user@host:port");
const days = z.number().positive().max(3650);

/** The system's directory for root, the user's own for anybody else. */
function defaultState(): string {
  return process.getuid?.() === 0 ? "/var/lib/zor/hub" : join(userDirectory("state", process.env), "hub");
}

/** Settings of a hub. Flags, environment and the YAML file use these names. */
export const hubConfigSchema = z.strictObject({
  /** Name of this hub, as agents see it. */
  name: id.default("hub"),
  /** State directory; made absolute. */
  state: z
    .string()
    .min(1)
    .default(() => defaultState())
    .transform((text) => (isAbsolute(text) ? text : resolve(text))),
  /** Addresses of the API. */
  listen: z.array(address).min(1).default(["127.0.0.1:7440"]),
  /** Addresses at which hosts and people join. */
  joinListen: z.array(address).min(1).default(["127.0.0.1:7441"]),
  /** Addresses at which agents that dial out are accepted; empty: they are not. */
  reverseListen: z.array(address).default(["127.0.0.1:7442"]),
  /** Addresses at which hosts that cannot reach each other are joined; empty: links are never relayed. */
  relayListen: z.array(address).default(["127.0.0.1:7445"]),
  /** Addresses of the relay as hosts reach it, when they differ from `relayListen`. */
  relayAdvertise: z.array(address).default([]),
  /** Addresses of the API as others reach it, when they differ from `listen`; their IPs also stand in tokens. */
  advertise: z.array(address).default([]),
  /** Life of host and hub certificates, in days. */
  hostCertificateDays: days.default(30),
  /** Life of people's and services' certificates, in days. */
  personCertificateDays: days.default(7),
  /** Whom events are told to; only from the file. */
  hooks: hookSettings.hooks.default([]),
  /** Networks beside the public ones that webhooks may go to. */
  hookNetworks: hookSettings.hookNetworks.default([]),
  /** What exposes may listen on: addresses of this machine, with their ports; only from the file. */
  exposeListen: z
    .array(allowedListenSchema)
    .max(256)
    .default([...usualListen]),
  /** Ssh servers through which hosts may be dialled, and how the hub logs in there; only from the file. */
  ssh: z
    .strictObject({
      via: z.array(sshServer).max(256).default([]),
      identityFiles: z.array(absolutePath).max(16).default([]),
      knownHosts: z.array(absolutePath).max(16).default([]),
    })
    .default({ via: [], identityFiles: [], knownHosts: [] }),
  /** Addresses of /metrics; empty: it is not served. */
  metricsListen: metricsSettings.metricsListen.default([]),
  metricsTokenFile: metricsSettings.metricsTokenFile.optional(),
  tracesEndpoint: tracesSettings.tracesEndpoint.optional(),
  tracesServiceName: tracesSettings.tracesServiceName.optional(),
  tracesSampler: tracesSettings.tracesSampler.optional(),
  tracesRatio: tracesSettings.tracesRatio.optional(),
  tracesCaFile: tracesSettings.tracesCaFile.optional(),
});

/** Settings of a hub. */
export type HubConfig = z.output<typeof hubConfigSchema>;

/** Where a hub is reached, as joiners are told. */
export interface Advertised {
  readonly hub: readonly string[];
  readonly join: readonly string[];
  readonly reverse: readonly string[];
  readonly relay: readonly string[];
  /** IPs that stand in the hub's certificate. */
  readonly ips: readonly string[];
}

/** Addresses a hub serves on, with their real ports. */
export interface HubAddresses {
  readonly listen: readonly string[];
  readonly join: readonly string[];
  readonly reverse: readonly string[];
  readonly relay: readonly string[];
}

/** All "ip:port"s that lead to the hub itself, in canonical form. */
export function ownAddresses(bound: HubAddresses): ReadonlySet<string> {
  const all = Object.values<readonly string[]>({ ...bound }).flat();
  return new Set(
    all.flatMap((each) => {
      const ips = isWildcard(ipOf(each)) ? machineIps() : [ipOf(each)];
      return ips.map((ip) => joinAddress(canonicalHost(ip), portOf(each)));
    }),
  );
}

/** The canonical form of an "ip:port". */
export function canonicalAddress(address: string): string {
  return joinAddress(canonicalHost(ipOf(address)), portOf(address));
}

/** Works out the addresses others use; the lists hold the real ports. A wildcard stands for every address of the machine. */
export function advertisedAddresses(bound: HubAddresses, advertise: readonly string[]): Advertised {
  const ips = [...new Set(advertise.map(ipOf))];
  const expand = (addresses: readonly string[]): string[] => [
    ...new Set(
      addresses.flatMap((each) => {
        const own = isWildcard(ipOf(each)) ? machineIps() : [ipOf(each)];
        return (ips.length > 0 ? ips : own).map((ip) => joinAddress(ip, portOf(each)));
      }),
    ),
  ];
  const hub = advertise.length > 0 ? [...new Set(advertise)] : expand(bound.listen);
  const listenIps = [...bound.listen, ...bound.join, ...bound.reverse].flatMap((each) =>
    isWildcard(ipOf(each)) ? machineIps() : [ipOf(each)],
  );
  return {
    hub,
    join: expand(bound.join),
    reverse: expand(bound.reverse),
    relay: expand(bound.relay),
    ips: [...new Set([...hub.map(ipOf), ...ips, ...listenIps])].filter((each) => isIP(each) !== 0).sort(),
  };
}

/** An address with another port. */
export function withPort(address: string, port: number): string {
  return joinAddress(ipOf(address), port);
}

function joinAddress(ip: string, port: number): string {
  return formatHostPort({ host: ip, port });
}

function ipOf(address: string): string {
  return splitAddress(address).host;
}

function portOf(address: string): number {
  return splitAddress(address).port;
}

function isWildcard(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}

function machineIps(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const usable = all.filter(({ address, scopeid }) => isIP(address) !== 0 && (scopeid ?? 0) === 0);
  return usable.map(({ address }) => address);
}

function canonicalHost(host: string): string {
  return isIP(host) === 0 ? host.toLowerCase() : canonicalIp(host);
}

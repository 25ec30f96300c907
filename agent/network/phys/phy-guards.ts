import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isIP } from "node:net";
import { runJson } from "../../host/exec.js";
import type { PhyFacts } from "./phy-facts.js";

/** What of the agent itself would be cut off with an interface. */
export interface OwnConnections {
  /** Addresses that it is reached at, or speaks from. */
  readonly local: readonly string[];
  /** Addresses that it speaks with. */
  readonly remote: readonly string[];
}

/** What is known of where the host's traffic goes. */
export interface GuardFacts {
  readonly device: string;
  readonly facts: Pick<PhyFacts, "addresses" | "routes4" | "routes6">;
  readonly own: OwnConnections;
  /** Interfaces by which the host reaches those that the agent speaks with. */
  readonly ways: ReadonlyMap<string, string>;
}

/** Why taking an interface away may cut the host off; completes "eth1 …", empty: it does not. Pure. */
export function dangersOf({ device, facts, own, ways }: GuardFacts): readonly string[] {
  const routes = [...facts.routes4, ...facts.routes6];
  const isDefault = routes.some(({ dst, type = "unicast" }) => dst === "default" && type === "unicast");
  const addresses = facts.addresses.map(({ local }) => local);
  const used = own.local.find((address) => addresses.includes(address));
  const peer = own.remote.find((address) => ways.get(address) === device);
  return [
    ...(isDefault ? ["has the host's default route"] : []),
    ...(used === undefined ? [] : [`has ${used}, which the agent uses`]),
    ...(peer === undefined ? [] : [`leads to ${peer}, which the agent speaks with`]),
  ];
}

/** Reads where the host's traffic to the agent's peers goes. Peers that there is no way to are left out. */
export async function readWays(addresses: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    [...new Set(addresses)].slice(0, 64).map(async (address) => {
      const routes = await runJson("ip", ["-j", "route", "get", address]).catch(() => undefined);
      const [{ dev = "" } = {}] = (routes ?? []) as readonly { readonly dev?: string }[];
      return [address, dev] as const;
    }),
  );
  return new Map(found.filter(([, device]) => device !== ""));
}

const [established, listening] = ["01", "0A"];

/** The TCP connections of this process, in the namespace that it is in. */
export function readOwnConnections(): OwnConnections {
  const inodes = new Set(
    readdirSync("/proc/self/fd").flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? [];
      } catch {
        // Closed meanwhile, as the one that the directory was read by.
        return [];
      }
    }),
  );
  const tables = ["tcp", "tcp6"].map((table) => {
    try {
      return readFileSync(`/proc/self/net/${table}`, "utf8");
    } catch {
      return "";
    }
  });
  return parseConnections(tables.join("\n"), inodes);
}

/** What the tables of `/proc/net/tcp` and `tcp6` say of sockets; loopback is nobody's. Pure. */
export function parseConnections(text: string, inodes: ReadonlySet<string>): OwnConnections {
  const [local, remote] = [new Set<string>(), new Set<string>()];
  for (const line of text.split("\n")) {
    const [, from = "", to = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    if (!inodes.has(inode) || (state !== established && state !== listening)) continue;
    local.add(toAddress(from));
    if (state === established) remote.add(toAddress(to));
  }
  const isOutside = (address: string): boolean =>
    isIP(address) !== 0 && !address.startsWith("127.") && !["::1", "::", "0.0.0.0"].includes(address);
  return { local: [...local].filter(isOutside), remote: [...remote].filter(isOutside) };
}

/** "0100007F:1F90" is 127.0.0.1: words of four bytes in the order of the processor, which is little-endian on all that we run on. */
function toAddress(text: string): string {
  const bytes = Buffer.from(text.split(":")[0] ?? "", "hex");
  if (bytes.length !== 4 && bytes.length !== 16) return "";
  bytes.swap32();
  if (bytes.length === 4) return [...bytes].join(".");
  const mapped = bytes.subarray(0, 12).toString("hex") === "00000000000000000000ffff";
  if (mapped) return [...bytes.subarray(12)].join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(":");
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1);
}

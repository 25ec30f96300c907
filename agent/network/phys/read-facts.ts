import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runJson } from "../../host/exec.js";
import { type PhyFacts, toFacts } from "./phy-facts.js";

/** An interface of the host as it is found, with what stands on it. */
export interface FoundDevice {
  readonly facts: PhyFacts;
  /** Names of interfaces of the host that are made of it. */
  readonly others: readonly string[];
}

/** Reads all that is known of an interface of the agent's own namespace; undefined: there is none of that name. @throws {ToolError} */
export async function readDevice(device: string): Promise<FoundDevice | undefined> {
  const links = (await runJson("ip", ["-j", "-d", "address", "show"])) ?? [];
  const all = links as readonly { ifname?: string; link?: string; linkinfo?: { info_kind?: string } }[];
  if (!all.some(({ ifname }) => ifname === device)) return undefined;
  const show = ["-j", "-d", "route", "show", "table", "all"];
  const [routes4, routes6, neighbours, qdiscs] = await Promise.all([
    runJson("ip", ["-4", ...show]),
    runJson("ip", ["-6", ...show]),
    runJson("ip", ["-j", "neighbour", "show", "dev", device, "nud", "permanent"]),
    runJson("tc", ["-j", "qdisc", "show", "dev", device]),
  ]);
  const facts = toFacts(device, { links, routes4, routes6, neighbours, qdiscs, settings: readSettings(device) });
  const others = all.flatMap(({ ifname, link, linkinfo }) =>
    // The other side of a veth pair stands on nothing.
    link === device && linkinfo?.info_kind !== "veth" && ifname !== undefined ? [ifname] : [],
  );
  return facts === undefined ? undefined : { facts, others };
}

const settingsRoot = "/proc/sys/net";
/** Where the kernel has settings of an interface; "*": its name. */
const settingsPlaces = ["ipv4/conf/*", "ipv6/conf/*", "ipv4/neigh/*", "ipv6/neigh/*"];

/** File of a setting of an interface of this thread's namespace. */
export function settingPath(device: string, key: string): string {
  return join(settingsRoot, key.replace("*", device));
}

function readSettings(device: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    settingsPlaces.flatMap((place) =>
      filesOf(settingPath(device, place)).flatMap(({ name }) => {
        const value = readSetting(settingPath(device, `${place}/${name}`));
        return value === undefined ? [] : [[`${place}/${name}`, value] as const];
      }),
    ),
  );
}

function filesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  } catch {
    // The kernel has no IPv6.
    return [];
  }
}

/** Undefined: it cannot be read, as secrets that were never set. */
export function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

import { type PhyAddress, type PhyFacts, type PhyQdisc, type PhyRoute, setQdiscs } from "./phy-facts.js";

/** What gives an interface back as it was found, in this order. All of it can be done twice. */
export interface ReturnPlan {
  /** Commands of `ip` before the settings. */
  readonly prepare: readonly (readonly string[])[];
  /** Values below /proc/sys/net by path, "*" being its name; only what differs is written. */
  readonly settings: Readonly<Record<string, string>>;
  /** Commands of `ip` after them: up, addresses, neighbours. */
  readonly addresses: readonly (readonly string[])[];
  /** Commands of `ip` for routes; those that need no other one come first. */
  readonly routes: readonly (readonly string[])[];
  /** Commands of `ip` once the routes are there. */
  readonly finish: readonly (readonly string[])[];
  /** Arguments of `tc`. */
  readonly qdisc: readonly string[] | undefined;
  /** "": none. */
  readonly alias: string;
}

const forever = 0xff_ff_ff_ff;

/** Pure. @param device name that it has, and had. @param mac that it has now. */
export function returnPlan(device: string, facts: PhyFacts, mac: string | undefined): ReturnPlan {
  const { link } = facts;
  const set = ["link", "set", "dev", device];
  const isUp = link.flags.includes("UP");
  const addresses = facts.addresses.filter(isToBeMade);
  const [settled, waited] = [addresses.filter(({ family }) => family !== "inet6"), addresses.filter(isVersion6)];
  return {
    prepare: [
      [...set, "down"],
      ...(link.address === undefined || link.address === mac ? [] : [[...set, "address", link.address]]),
      [...set, "mtu", String(link.mtu)],
      ...(link.txqlen === undefined ? [] : [[...set, "txqueuelen", String(link.txqlen)]]),
      [...set, "promisc", link.flags.includes("PROMISC") ? "on" : "off"],
      [...set, "allmulticast", link.flags.includes("ALLMULTI") ? "on" : "off"],
    ],
    settings: facts.settings,
    addresses: [
      ...(isUp ? [[...set, "up"]] : []),
      // Without waiting for the detection of duplicates: routes may name them as their source.
      ...[...settled, ...waited].map((each) => ["address", "replace", ...addressWords(each, device, true)]),
      ...facts.neighbours.flatMap(({ dst, lladdr, state }) =>
        lladdr === undefined
          ? []
          : [
              [
                "neighbour",
                "replace",
                dst,
                "lladdr",
                lladdr,
                "dev",
                device,
                "nud",
                (state[0] ?? "permanent").toLowerCase(),
              ],
            ],
      ),
    ],
    routes: isUp ? [...ordered(facts.routes4, device, "-4"), ...ordered(facts.routes6, device, "-6")] : [],
    // Says nothing else than before of those that were waited for.
    finish: waited
      .filter(({ nodad }) => nodad !== true)
      .map((each) => ["address", "change", ...addressWords(each, device, false)]),
    qdisc: setQdiscs(facts.qdiscs).flatMap((each) => (each.root === true ? [qdiscWords(each, device)] : []))[0],
    alias: link.ifalias ?? "",
  };
}

function isVersion6({ family }: PhyAddress): boolean {
  return family === "inet6";
}

/** The kernel makes temporary ones itself. */
function isToBeMade({ temporary }: PhyAddress): boolean {
  return temporary !== true;
}

/** Commands of `ip` that take away what the kernel made of the MAC address and was not there before. Pure. @param present addresses that it has. */
export function surplus(
  device: string,
  facts: PhyFacts,
  present: readonly { readonly local?: string; readonly prefixlen?: number; readonly scope?: string }[],
): readonly (readonly string[])[] {
  const known = new Set(facts.addresses.map(({ local }) => local));
  return present
    .filter(({ local = "", scope }) => scope === "link" && !known.has(local))
    .map(({ local = "", prefixlen = 64 }) => ["address", "delete", `${local}/${prefixlen}`, "dev", device]);
}

function addressWords(address: PhyAddress, device: string, withoutDad: boolean): readonly string[] {
  const { local, prefixlen, broadcast, scope, label, metric, protocol } = address;
  const isSix = isVersion6(address);
  const peer = address.address;
  const lifetime = (key: string, seconds: number | undefined): readonly string[] =>
    seconds === undefined || seconds === forever ? [] : [key, String(seconds)];
  return [
    ...(peer === undefined ? [`${local}/${prefixlen}`] : [local, "peer", `${peer}/${prefixlen}`]),
    ...(broadcast === undefined ? [] : ["broadcast", broadcast]),
    ...["dev", device],
    ...(label === undefined || label === device ? [] : ["label", label]),
    ...(scope === undefined ? [] : ["scope", scope]),
    ...(metric === undefined ? [] : ["metric", String(metric)]),
    ...(protocol === undefined ? [] : ["proto", protocol]),
    ...lifetime("valid_lft", address.valid_life_time),
    ...lifetime("preferred_lft", address.preferred_life_time),
    ...(address.home === true ? ["home"] : []),
    ...(address.mngtmpaddr === true ? ["mngtmpaddr"] : []),
    ...(address.noprefixroute === true ? ["noprefixroute"] : []),
    ...(isSix && (withoutDad || address.nodad === true) ? ["nodad"] : []),
  ];
}

/** Routes without gateway come first: the others' gateways are reached by them. */
function ordered(routes: readonly PhyRoute[], device: string, family: string): readonly (readonly string[])[] {
  const isNear = ({ gateway, via, nexthops }: PhyRoute): boolean =>
    gateway === undefined && via === undefined && nexthops === undefined;
  return [...routes.filter(isNear), ...routes.filter((route) => !isNear(route))].map((route) => [
    family,
    "route",
    "replace",
    ...routeWords(route, device),
  ]);
}

function routeWords(route: PhyRoute, device: string): readonly string[] {
  const { type, dst, table, protocol, scope, prefsrc, metric, tos, pref, expires, nexthops, metrics = [] } = route;
  return [
    ...(type === undefined || type === "unicast" ? [] : [type]),
    dst,
    ...option("tos", tos),
    ...option("table", table),
    ...option("proto", protocol),
    ...option("scope", scope),
    ...option("src", prefsrc),
    ...option("metric", metric),
    ...metrics.flatMap((each) => Object.entries(each).flatMap(([key, value]) => [key, String(value)])),
    ...option("pref", pref),
    ...option("expires", expires),
    ...(nexthops === undefined
      ? hopWords(route, device)
      : nexthops.flatMap((hop) => ["nexthop", ...hopWords(hop, device), ...option("weight", hop.weight)])),
  ];
}

function hopWords(
  { gateway, via, dev, flags = [] }: Pick<PhyRoute, "gateway" | "via" | "dev" | "flags">,
  device: string,
): readonly string[] {
  return [
    ...option("via", gateway),
    ...(via === undefined ? [] : ["via", via.family, via.host]),
    ...["dev", dev ?? device],
    ...(flags.includes("onlink") ? ["onlink"] : []),
  ];
}

function option(key: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [key, String(value)];
}

/** Options of queueing disciplines by the names that `tc` prints, with their units. */
const qdiscOptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pfifo: { limit: "" },
  bfifo: { limit: "" },
  fq_codel: { limit: "p", flows: "", quantum: "", target: "us", interval: "us", memory_limit: "" },
};

function qdiscWords({ kind, handle = "", options = {} }: PhyQdisc, device: string): readonly string[] {
  const known = Object.entries(qdiscOptions[kind] ?? {}).flatMap(([key, unit]) => {
    const value = options[key];
    // "1000p" and 1000 are the same to it.
    return typeof value === "number" ? [key, `${value}${unit === "p" ? "" : unit}`] : [];
  });
  const ecn = kind === "fq_codel" ? [options["ecn"] === true ? "ecn" : "noecn"] : [];
  return ["qdisc", "replace", "dev", device, "root", "handle", handle, kind, ...known, ...ecn];
}

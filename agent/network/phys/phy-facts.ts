import { z } from "zod";

/** An address as `ip -j address` tells it; what is not used is left out. */
const addressSchema = z.object({
  family: z.string(),
  local: z.string(),
  /** The other side of a point-to-point address. */
  address: z.string().optional(),
  prefixlen: z.number(),
  broadcast: z.string().optional(),
  scope: z.string().optional(),
  label: z.string().optional(),
  protocol: z.string().optional(),
  metric: z.number().optional(),
  dynamic: z.boolean().optional(),
  temporary: z.boolean().optional(),
  mngtmpaddr: z.boolean().optional(),
  noprefixroute: z.boolean().optional(),
  nodad: z.boolean().optional(),
  home: z.boolean().optional(),
  valid_life_time: z.number().optional(),
  preferred_life_time: z.number().optional(),
});

const viaSchema = z.object({ family: z.string(), host: z.string() });

/** A route as `ip -j -d route` tells it. */
const routeSchema = z.object({
  type: z.string().optional(),
  dst: z.string(),
  gateway: z.string().optional(),
  via: viaSchema.optional(),
  dev: z.string().optional(),
  table: z.union([z.string(), z.number()]).optional(),
  protocol: z.string().optional(),
  scope: z.string().optional(),
  prefsrc: z.string().optional(),
  metric: z.number().optional(),
  tos: z.string().optional(),
  pref: z.string().optional(),
  expires: z.number().optional(),
  flags: z.array(z.string()).optional(),
  metrics: z.array(z.record(z.string(), z.union([z.string(), z.number()]))).optional(),
  nhid: z.number().optional(),
  encap: z.unknown().optional(),
  nexthops: z
    .array(
      z.object({
        gateway: z.string().optional(),
        via: viaSchema.optional(),
        dev: z.string().optional(),
        weight: z.number().optional(),
        flags: z.array(z.string()).optional(),
        encap: z.unknown().optional(),
      }),
    )
    .optional(),
});

const linkSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  txqlen: z.number().optional(),
  address: z.string().optional(),
  ifalias: z.string().optional(),
  master: z.string().optional(),
  /** Name of what it stands on; of a veth in the same namespace its other side. */
  link: z.string().nullish(),
  max_mtu: z.number().optional(),
  link_type: z.string().optional(),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
});

const qdiscSchema = z.object({
  kind: z.string(),
  handle: z.string().optional(),
  root: z.boolean().optional(),
  parent: z.string().optional(),
  options: z.record(z.string(), z.unknown()).optional(),
});

const neighbourSchema = z.object({ dst: z.string(), lladdr: z.string().optional(), state: z.array(z.string()) });

/** How an interface of the host was found. */
export const phyFactsSchema = z.object({
  link: linkSchema,
  addresses: z.array(addressSchema),
  routes4: z.array(routeSchema),
  routes6: z.array(routeSchema),
  neighbours: z.array(neighbourSchema),
  qdiscs: z.array(qdiscSchema),
  /** What /proc/sys/net says of it, by path with "*" for its name. */
  settings: z.record(z.string(), z.string()),
});

export type PhyFacts = z.output<typeof phyFactsSchema>;
export type PhyAddress = PhyFacts["addresses"][number];
export type PhyRoute = PhyFacts["routes4"][number];
export type PhyQdisc = PhyFacts["qdiscs"][number];

/** What tools print of a whole host, unchecked. */
export interface HostAnswers {
  readonly links: unknown;
  readonly routes4: unknown;
  readonly routes6: unknown;
  readonly neighbours: unknown;
  readonly qdiscs: unknown;
  readonly settings: Readonly<Record<string, string>>;
}

/** What of a whole host is about one interface and does not come by itself; undefined: there is no such interface. Pure. */
export function toFacts(device: string, answers: HostAnswers): PhyFacts | undefined {
  const links = listOf(answers.links) as readonly { readonly ifname?: string; readonly addr_info?: unknown }[];
  const link = links.find(({ ifname }) => ifname === device);
  if (link === undefined) return undefined;
  return phyFactsSchema.parse({
    link,
    addresses: listOf(link.addr_info),
    routes4: routesOf(device, answers.routes4),
    routes6: routesOf(device, answers.routes6),
    neighbours: listOf(answers.neighbours),
    qdiscs: listOf(answers.qdiscs),
    settings: answers.settings,
  });
}

/** Routes by an interface, those that the kernel makes of addresses aside. Their expiry is a number, whatever the tool prints. */
function routesOf(device: string, answer: unknown): readonly unknown[] {
  const routes = listOf(answer) as readonly (Partial<PhyRoute> & { readonly expires?: unknown })[];
  return routes
    .filter(({ dev, nexthops = [] }) => dev === device || nexthops.some((hop) => hop.dev === device))
    .filter(({ protocol }) => protocol !== "kernel")
    .map((route) =>
      route.expires === undefined ? route : { ...route, expires: Number.parseInt(String(route.expires), 10) },
    );
}

/** iproute2 prints an array, or nothing. */
function listOf(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer.filter((each) => Object.keys(each as object).length > 0) : [];
}

/** Kinds of devices that the kernel keeps in their net namespace. */
const immovable = ["bridge", "bond", "team", "openvswitch", "vrf"];

/** Queueing disciplines that are made again as they were; others that somebody set have parts that nothing tells as they were said. */
const simpleQdiscs = ["noqueue", "pfifo", "bfifo", "pfifo_fast", "fq_codel", "mq"];

/**
 * Why an interface could not be given back as it is, or not be moved at all; completes "eth1 …". Pure.
 * @param others names of interfaces that stand on it.
 */
export function whyNotTaken(
  { link, routes4, routes6, qdiscs }: PhyFacts,
  others: readonly string[],
): string | undefined {
  const kind = link.linkinfo?.info_kind ?? "";
  if (link.link_type === "loopback") return "is the loopback";
  if (/\bzor-agent=/.test(link.ifalias ?? "")) return "was made by an agent, or is taken by one";
  if (immovable.includes(kind)) return `is a ${kind}, which cannot leave its network; take one of its ports`;
  if (link.master !== undefined) return `is a port of ${link.master}; take it out first`;
  if (others.length > 0) return `carries ${others.join(", ")}; remove them first`;
  const routes = [...routes4, ...routes6];
  if (routes.some(({ nhid }) => nhid !== undefined))
    return "has a route by a nexthop object; replace that by a plain one";
  if (routes.some(hasEncapsulation))
    return "has a route with encapsulation, which could not be given back; remove that first";
  const odd = setQdiscs(qdiscs).find((qdisc) => qdisc.root !== true || !simpleQdiscs.includes(qdisc.kind));
  return odd === undefined
    ? undefined
    : `has traffic control (${odd.kind}) that could not be given back; remove it first: tc qdisc delete dev ${link.ifname} ${odd.root === true ? "root" : odd.kind}`;
}

function hasEncapsulation({ encap, nexthops = [] }: PhyRoute): boolean {
  return encap !== undefined || nexthops.some((hop) => hop.encap !== undefined);
}

/** Those that somebody has set: the kernel's own have no handle. */
export function setQdiscs(qdiscs: readonly PhyQdisc[]): readonly PhyQdisc[] {
  return qdiscs.filter(({ handle = "0:" }) => handle !== "0:");
}

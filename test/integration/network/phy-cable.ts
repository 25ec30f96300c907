import { run, runJson } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";

/** What stands for a network card of a host with a cable in it: a veth pair whose other side is in a namespace of its own. */
export interface PhyCable extends AsyncDisposable {
  /** Where the other side is; it is "far0". */
  readonly far: TestNetns;
  /** Name of the host's side. */
  readonly device: string;
}

/** Lays a cable into a host; both sides are up, and the host's has no address. */
export async function layCable(host: TestNetns, device: string): Promise<PhyCable> {
  const far = await makeNetns("far");
  await host.ip("link", "add", device, "type", "veth", "peer", "name", "far0", "netns", far.name);
  await host.ip("link", "set", device, "up");
  await far.ip("link", "set", "far0", "up");
  return { far, device, [Symbol.asyncDispose]: () => far[Symbol.asyncDispose]() };
}

/** Gives an interface all that a network card of a host may have. */
export async function furnish(host: TestNetns, device: string): Promise<void> {
  const set = ["link", "set", "dev", device];
  await host.ip(...set, "address", "02:00:5e:00:53:01");
  await host.ip(...set, "mtu", "1400", "txqueuelen", "321", "alias", "to the rack's switch", "promisc", "on");
  await host.ip("address", "add", "198.18.0.2/24", "broadcast", "198.18.0.255", "dev", device);
  await host.ip("address", "add", "198.18.0.3/24", "dev", device, "label", `${device}:1`);
  await host.ip("address", "add", "198.18.9.1", "peer", "198.18.9.2/32", "dev", device);
  await host.ip("address", "add", "fd18::2/64", "dev", device);
  await host.ip(
    "route",
    "add",
    "198.18.128.0/17",
    "via",
    "198.18.0.1",
    "src",
    "198.18.0.3",
    "metric",
    "50",
    "mtu",
    "1300",
  );
  await host.ip("route", "add", "198.19.0.0/24", "dev", device, "table", "77");
  await host.ip("route", "add", "fd19::/64", "via", "fd18::1", "metric", "99");
  await host.ip("neighbour", "add", "198.18.0.7", "lladdr", "02:00:5e:00:53:07", "dev", device);
  await run("tc", ["qdisc", "add", "dev", device, "root", "pfifo", "limit", "77"], { netns: host.name });
  await run("sysctl", ["-q", `net.ipv4.conf.${device}.rp_filter=2`, `net.ipv4.conf.${device}.proxy_arp=1`], {
    netns: host.name,
  });
}

/** All that tools tell of an interface, once no address of it is still on trial. */
export async function portrait(host: TestNetns, device: string): Promise<unknown> {
  return await eventually(async () => {
    const show = ["-n", host.name, "-j", "-d"];
    const [link, routes4, routes6, neighbours, qdisc, settings] = await Promise.all([
      runJson("ip", [...show, "address", "show", "dev", device]),
      runJson("ip", [...show, "-4", "route", "show", "table", "all", "dev", device]),
      runJson("ip", [...show, "-6", "route", "show", "table", "all", "dev", device]),
      runJson("ip", ["-n", host.name, "-j", "neighbour", "show", "dev", device, "nud", "permanent"]),
      runJson("tc", ["-n", host.name, "-j", "qdisc", "show", "dev", device]),
      run("sysctl", ["-a", "-r", `^net\\.ipv[46]\\.(conf|neigh)\\.${device}\\.`], { netns: host.name }),
    ]);
    const told = JSON.stringify(link);
    if (told.includes("tentative")) throw new Error("an address is still on trial");
    const lines = settings.stdout.split("\n").sort();
    return { link: sorted(link), routes4: sorted(routes4), routes6: sorted(routes6), neighbours, qdisc, lines };
  });
}

/** The kernel lists addresses and routes in the order in which they came, and numbers interfaces anew where a number is taken. */
function sorted(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value
    .map(({ ifindex: _, ...each }: Readonly<Record<string, unknown>>) =>
      Array.isArray(each["addr_info"]) ? { ...each, addr_info: sorted(each["addr_info"]) } : each,
    )
    .sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
}

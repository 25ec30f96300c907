import { readdir, rm } from "node:fs/promises";
import { endProcess, findIdentity } from "../../lib/process.js";
import type { DemoLayout, HostLayout } from "./layout.js";
import { runTool } from "./tool.js";

/** Name of the host's interface towards the hub, and towards the other host, inside the host's namespace. */
const towardsHub = "hub";
const towardsPeer = "underlay";

/** Makes the hosts' net namespaces, a wire from each to the hub and one between them. Idempotent: makes what is missing. */
export async function ensureNetwork(layout: DemoLayout, signal: AbortSignal): Promise<void> {
  const existing = new Set(await listNamespaces());
  const make = async (host: HostLayout): Promise<void> => {
    if (!existing.has(host.namespace)) await runTool("ip", ["netns", "add", host.namespace], { signal });
    await runTool("ip", ["-n", host.namespace, "link", "set", "lo", "up"], { signal });
    await ensureHubWire(host, signal);
  };
  await Promise.all(layout.hosts.map(make));
  const [alpha, beta] = layout.hosts;
  if (!(await hasInterface(alpha, towardsPeer))) {
    await runTool(
      "ip",
      [
        "-n",
        alpha.namespace,
        "link",
        "add",
        towardsPeer,
        "type",
        "veth",
        "peer",
        "name",
        towardsPeer,
        "netns",
        beta.namespace,
      ],
      { signal },
    );
  }
  await Promise.all(layout.hosts.map((host) => configure(host.namespace, towardsPeer, host.underlayAddress, signal)));
}

async function ensureHubWire(host: HostLayout, signal: AbortSignal): Promise<void> {
  if (!(await hasInterface(host, towardsHub))) {
    const peer = ["peer", "name", towardsHub, "netns", host.namespace];
    await runTool("ip", ["link", "add", host.hubInterface, "type", "veth", ...peer], { signal });
  }
  await runTool("ip", ["address", "replace", `${host.hubAddress}/30`, "dev", host.hubInterface], { signal });
  await runTool("ip", ["link", "set", host.hubInterface, "up"], { signal });
  await configure(host.namespace, towardsHub, host.address, signal);
}

async function configure(namespace: string, name: string, address: string, signal: AbortSignal): Promise<void> {
  await runTool("ip", ["-n", namespace, "address", "replace", `${address}/30`, "dev", name], { signal });
  await runTool("ip", ["-n", namespace, "link", "set", name, "up"], { signal });
}

async function hasInterface(host: HostLayout, name: string): Promise<boolean> {
  const links: unknown = JSON.parse(await runTool("ip", ["-n", host.namespace, "-j", "link"]));
  return Array.isArray(links) && links.some((link: { ifname?: unknown }) => link.ifname === name);
}

/** All named net namespaces of the machine. */
export async function listNamespaces(): Promise<string[]> {
  return readdir("/run/netns").catch(() => []);
}

/** Interfaces of the demo in the root namespace that exist. */
export async function listHubInterfaces(layout: DemoLayout): Promise<string[]> {
  const links: unknown = JSON.parse(await runTool("ip", ["-j", "link"]));
  const names = Array.isArray(links) ? links.map((link: { ifname?: unknown }) => String(link.ifname)) : [];
  return layout.hosts.map((host) => host.hubInterface).filter((name) => names.includes(name));
}

/** Removes every namespace of the demo, with all processes and interfaces in it. Idempotent. */
export async function removeNetwork(layout: DemoLayout): Promise<void> {
  const ours = (await listNamespaces()).filter((name) => name.startsWith(layout.namespacePrefix));
  for (const namespace of ours) await endAllIn(namespace);
  // Before the namespaces: the kernel takes the wires of a deleted one away at a time of its own.
  for (const name of await listHubInterfaces(layout)) await runTool("ip", ["link", "delete", name]);
  for (const namespace of ours) {
    await runTool("ip", ["netns", "delete", namespace]);
    // The agent's note of whose it was.
    await rm(`/run/zor-netns/${namespace}`, { force: true });
  }
}

/** Ends every process in a namespace; one of ours holds nothing else. */
async function endAllIn(namespace: string): Promise<void> {
  const pids = (await runTool("ip", ["netns", "pids", namespace])).split("\n").filter((line) => line !== "");
  const identities = await Promise.all(pids.map((pid) => findIdentity(Number(pid))));
  await Promise.all(identities.map((identity) => (identity === undefined ? undefined : endProcess(identity, 2000))));
}

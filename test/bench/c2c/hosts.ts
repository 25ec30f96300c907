import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";

/** One of the two hosts of a benchmark. */
export interface BenchHost {
  readonly side: "a" | "b";
  readonly number: 1 | 2;
  /** Namespace of the underlay, where sockets of cables and tunnels live. */
  readonly underlay: string;
  readonly underlayIp: string;
  /** Namespace of the devices that are measured with no lan between: taps and tunnel devices that have addresses themselves. */
  readonly taps: string;
  /** Files of whatever runs on the host. */
  readonly directory: string;
}

/** Where traffic starts or ends. */
export interface Station {
  readonly netns: string;
  readonly device: string;
  readonly ip: string;
}

/** Device between the underlays, on both sides. */
export const underlayDevice = "ztu0";

/** Name of one of this run's namespaces. */
export function netnsName(suffix: string): string {
  return `zt-${process.pid}-${suffix}`;
}

/** Makes a namespace that is removed with the stack. */
export async function addNetns(name: string, cleanup: AsyncDisposableStack): Promise<string> {
  await run("ip", ["netns", "add", name]);
  cleanup.defer(async () => void (await run("ip", ["netns", "delete", name])));
  await run("ip", ["-n", name, "link", "set", "lo", "up"]);
  return name;
}

/** Runs `ip` in a namespace. */
export async function ipIn(netns: string, ...argv: string[]): Promise<void> {
  await run("ip", ["-n", netns, ...argv]);
}

/** Two hosts whose underlays are joined by a veth pair. Everything goes with the stack. */
export async function makeHosts(cleanup: AsyncDisposableStack): Promise<readonly [BenchHost, BenchHost]> {
  const a = await makeHost("a", 1, cleanup);
  const b = await makeHost("b", 2, cleanup);
  await ipIn(a.underlay, "link", "add", underlayDevice, "type", "veth", "peer", underlayDevice, "netns", b.underlay);
  for (const host of [a, b]) {
    await ipIn(host.underlay, "address", "add", `${host.underlayIp}/24`, "dev", underlayDevice);
    await ipIn(host.underlay, "link", "set", underlayDevice, "up");
  }
  return [a, b];
}

/** Hardware address of a device. */
export async function readMac(netns: string, device: string): Promise<string> {
  const { stdout } = await run("ip", ["-n", netns, "-j", "link", "show", "dev", device]);
  // iproute2 prints an array with one object for one device.
  const [link] = JSON.parse(stdout) as [{ readonly address: string }];
  return link.address;
}

async function makeHost(side: "a" | "b", number: 1 | 2, cleanup: AsyncDisposableStack): Promise<BenchHost> {
  const directory = await mkdtemp(join(tmpdir(), `zt-${side}-`));
  cleanup.defer(() => rm(directory, { recursive: true, force: true }));
  const underlay = await addNetns(netnsName(`u${side}`), cleanup);
  const taps = await addNetns(netnsName(`t${side}`), cleanup);
  return { side, number, underlay, underlayIp: `10.231.0.${number}`, taps, directory };
}

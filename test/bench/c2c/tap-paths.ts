import { join } from "node:path";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { endProcess, findIdentity } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { type CableOptions, EnginePair } from "./engines.js";
import { type BenchHost, ipIn, type Station, underlayDevice } from "./hosts.js";
import { type BenchPath, directPath, type PathName } from "./path.js";

type Hosts = readonly [BenchHost, BenchHost];

/** What makes a path; the stack takes it away again. */
export type PathMaker = (hosts: Hosts, cleanup: AsyncDisposableStack) => Promise<BenchPath>;

/** Data port of the engines whose taps are measured with no lan between. */
const tapEnginesPort = 7_461;
const qemuPort = 7_462;

/** The veth pair itself. */
export const makeUnderlay: PathMaker = (hosts) =>
  directPath("underlay", ...both(hosts, (host) => station(host.underlay, underlayDevice, host.underlayIp)));

/** A kernel vxlan device on each host. */
export const makeTapVxlan: PathMaker = async (hosts) => {
  await addVxlanDevices(hosts, { id: 4201, device: "ztv0", netns: ({ taps }) => taps });
  return addressed("tap-vxlan", hosts, ["ztv0", "ztv0"], 1);
};

/** A QEMU process on each host that moves frames between a tap and a TCP stream, and does nothing else. */
export const makeTapQemu: PathMaker = async (hosts, cleanup) => {
  const [a] = hosts;
  for (const host of hosts) {
    // QEMU opens the tap where its socket is; the open tap is then moved to where it is measured.
    await ipIn(host.underlay, "tuntap", "add", "ztq0", "mode", "tap");
    const role = host === a ? "on" : "off";
    const address = `addr.type=inet,addr.host=${a.underlayIp},addr.port=${qemuPort}`;
    const argv = [
      ...["-machine", "none", "-nodefaults", "-display", "none", "-monitor", "none"],
      ...["-netdev", "tap,id=tap,ifname=ztq0,script=no,downscript=no,vnet_hdr=off"],
      ...["-netdev", "hubport,id=port1,hubid=0,netdev=tap"],
      ...["-netdev", `stream,id=stream,server=${role},${address}`],
      ...["-netdev", "hubport,id=port2,hubid=0,netdev=stream"],
    ];
    const logFile = join(host.directory, "qemu.log");
    const pid = await startDaemon("qemu-system-x86_64", argv, { netns: host.underlay, logFile });
    const qemu = await findIdentity(pid);
    if (qemu !== undefined) cleanup.defer(() => endProcess(qemu, 1_000));
    if (host === a) await eventually(() => listens(host.underlay), 10_000);
    else await eventually(() => isConnected(host.underlay), 10_000);
    await ipIn(host.underlay, "link", "set", "ztq0", "netns", host.taps);
  }
  return addressed("tap-qemu", hosts, ["ztq0", "ztq0"], 2);
};

/** Makes our cables with taps that have addresses themselves; one pair of engines carries all of them. */
export async function makeTapCables(
  hosts: Hosts,
  cleanup: AsyncDisposableStack,
): Promise<(name: PathName, subnet: number, options: CableOptions) => Promise<BenchPath>> {
  const netns = both(hosts, (host) => host.taps);
  const engines = cleanup.use(await EnginePair.open({ hosts, netns, port: tapEnginesPort }));
  return async (name, subnet, options) => {
    const [cable] = await engines.connect(1, options);
    return addressed(name, hosts, [cable?.tapA ?? "", cable?.tapB ?? ""], subnet);
  };
}

/** Makes a vxlan device on each host, with its socket in the underlay and itself elsewhere. */
export async function addVxlanDevices(
  hosts: Hosts,
  options: {
    readonly id: number;
    readonly device: string;
    readonly netns: (host: BenchHost) => string;
  },
): Promise<void> {
  const { id, device, netns } = options;
  const [a, b] = hosts;
  for (const [host, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    const tunnel = ["local", host.underlayIp, "remote", peer.underlayIp, "dstport", "4789", "dev", underlayDevice];
    await ipIn(host.underlay, "link", "add", device, "type", "vxlan", "id", String(id), ...tunnel);
    await ipIn(host.underlay, "link", "set", device, "netns", netns(host));
    await ipIn(netns(host), "link", "set", device, "up");
  }
}

/** The same of both hosts. */
export function both<T>(hosts: Hosts, of: (host: BenchHost) => T): readonly [T, T] {
  return [of(hosts[0]), of(hosts[1])];
}

/** Gives the devices addresses and waits until frames cross. */
async function addressed(
  name: PathName,
  hosts: Hosts,
  devices: readonly [string, string],
  subnet: number,
): Promise<BenchPath> {
  const stations = [hosts[0], hosts[1]].map((host, index) =>
    station(host.taps, devices[index] ?? "", `10.232.${subnet}.${host.number}`),
  );
  for (const { netns, device, ip } of stations) {
    await ipIn(netns, "address", "add", `${ip}/24`, "dev", device);
    await ipIn(netns, "link", "set", device, "up");
  }
  const [a, b] = stations;
  if (a === undefined || b === undefined) throw new Error("a path has two stations");
  return directPath(name, a, b);
}

function station(netns: string, device: string, ip: string): Station {
  return { netns, device, ip };
}

async function listens(netns: string): Promise<void> {
  const { stdout } = await run("ss", ["-Hltn", `sport = :${qemuPort}`], { netns });
  if (stdout.trim() === "") throw new Error("QEMU does not listen yet");
}

async function isConnected(netns: string): Promise<void> {
  const { stdout } = await run("ss", ["-Htn", "state", "established", `dport = :${qemuPort}`], { netns });
  if (stdout.trim() === "") throw new Error("QEMU has not connected yet");
}

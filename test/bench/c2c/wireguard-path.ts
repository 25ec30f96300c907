import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { endProcess, findIdentity } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { type BenchHost, ipIn, type Station } from "./hosts.js";
import { type BenchPath, directPath } from "./path.js";

type Hosts = readonly [BenchHost, BenchHost];

const vxlanDevice = "ztwv0";
const port = 51_820;

/** What people use for an encrypted cable: a kernel vxlan device in a tunnel of wireguard-go, WireGuard in a process of its own. */
export async function makeTapWireguard(hosts: Hosts, cleanup: AsyncDisposableStack): Promise<BenchPath> {
  const keys = await Promise.all(hosts.map((host) => makeKey(host)));
  for (const [index, host] of hosts.entries()) {
    const device = deviceOf(host);
    const logFile = join(host.directory, "wireguard.log");
    const argv = ["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1", "wireguard-go", "-f", device];
    const pid = await startDaemon("env", argv, { netns: host.underlay, logFile });
    const daemon = await findIdentity(pid);
    if (daemon !== undefined) cleanup.defer(() => endProcess(daemon, 1_000));
    await eventually(() => ipIn(host.underlay, "link", "show", "dev", device), 10_000);
    const [peer, key] = [hosts[1 - index], keys[1 - index]];
    if (peer === undefined || key === undefined) throw new Error("there are two hosts");
    const toPeer = ["peer", key.publicKey, "endpoint", `${peer.underlayIp}:${port}`, "allowed-ips", "10.237.0.0/24"];
    const mine = ["private-key", keys[index]?.file ?? "", "listen-port", String(port)];
    await eventually(() => run("wg", ["set", device, ...mine, ...toPeer], { netns: host.underlay }), 10_000);
    await ipIn(host.underlay, "address", "add", `10.237.0.${host.number}/24`, "dev", device);
    await ipIn(host.underlay, "link", "set", device, "up");
  }
  const stations: Station[] = [];
  for (const host of hosts) {
    const [local, remote] = [`10.237.0.${host.number}`, `10.237.0.${3 - host.number}`];
    const device = deviceOf(host);
    const tunnel = ["local", local, "remote", remote, "dstport", "4790", "dev", device];
    await ipIn(host.underlay, "link", "add", vxlanDevice, "type", "vxlan", "id", "4205", ...tunnel);
    await ipIn(host.underlay, "link", "set", vxlanDevice, "netns", host.taps);
    const ip = `10.232.6.${host.number}`;
    await ipIn(host.taps, "address", "add", `${ip}/24`, "dev", vxlanDevice);
    await ipIn(host.taps, "link", "set", vxlanDevice, "up");
    stations.push({ netns: host.taps, device: vxlanDevice, ip });
  }
  const [a, b] = stations;
  if (a === undefined || b === undefined) throw new Error("a path has two stations");
  return await directPath("tap-wireguard", a, b);
}

/** Also the name of the socket on which its daemon listens, which all namespaces share. */
function deviceOf({ side }: BenchHost): string {
  return `ztw${process.pid}${side}`;
}

async function makeKey(host: BenchHost): Promise<{ readonly file: string; readonly publicKey: string }> {
  const file = join(host.directory, "wireguard.key");
  const { stdout: key } = await run("wg", ["genkey"]);
  await writeFile(file, key, { mode: 0o600 });
  const { stdout } = await run("wg", ["pubkey"], { input: key });
  return { file, publicKey: stdout.trim() };
}

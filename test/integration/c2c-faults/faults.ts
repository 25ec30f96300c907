import { run } from "../../../agent/host/exec.js";
import { type TestHost, underlayDevice } from "../c2c/two-hosts.js";

/** Nobody's address: frames to it are dropped by whoever gets them, without a word. */
const nobody = "02:00:00:00:00:fe";

/** Takes the wire away from between the hosts. Resolves to how to put it back. */
export async function cutUnderlay({ underlay }: TestHost): Promise<() => Promise<void>> {
  await underlay.ip("link", "set", underlayDevice, "down");
  return () => underlay.ip("link", "set", underlayDevice, "up");
}

/** Lets nothing of one host reach the other, with nobody being told: no carrier is lost, nothing is refused. Resolves to how to end it. */
export async function blackhole(from: TestHost, to: TestHost): Promise<() => Promise<void>> {
  const entry = [to.underlayIp, "dev", underlayDevice];
  await from.underlay.ip("neighbour", "replace", ...entry, "lladdr", nobody, "nud", "permanent");
  return () => from.underlay.ip("neighbour", "delete", ...entry);
}

/** Resets the TCP connections of a host's cables, as a middlebox may. */
export async function resetConnections(host: TestHost, peer: TestHost): Promise<void> {
  await run("ss", ["-K", "dst", peer.underlayIp], { netns: host.underlay.name });
}

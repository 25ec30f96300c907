import { failedPrecondition } from "../../lib/errors.js";
import { isAlive, type ProcessIdentity } from "../../lib/process.js";
import { run } from "../host/exec.js";
import type { InstanceNetwork } from "./instance-networks.js";
import { ip, ipBatch, listLinks, parseCidr } from "./ip.js";
import { isNetnsOf, renameNetns, useKernelDefaults } from "./netns.js";

/** What a runtime's own namespace is to get. */
export interface TakeoverOptions {
  /** The interfaces, as they were prepared in the namespace of this name. */
  readonly network: InstanceNetwork;
  /** First process of the instance: its namespace gets them, and the name. */
  readonly process: ProcessIdentity;
  /** Sysctls below "net.", by name with dots; checked ones. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Shell text: writes the values of sysctls, given as path below /proc/sys and value by turns. */
const writeSysctls = `while [ $# -gt 0 ]; do printf %s "$2" >"/proc/sys/$1" || exit; shift 2; done`;

/**
 * Moves the interfaces of an instance into the namespace that its runtime made, for runtimes that join none of ours. That namespace
 * then has the name of ours, so that everything that is done by name is done there; ours is gone with its name. After the runtime
 * has made another one (a restart), the same moves them on: the name held the old namespace with all that was in it. Idempotent.
 * @throws {ZorError} FAILED_PRECONDITION when the process has ended.
 */
export async function takeOverNetns({ network, process, sysctls, signal }: TakeoverOptions): Promise<void> {
  const { netns, nics } = network;
  const { pid } = process;
  if (await isNetnsOf(netns, pid)) return;
  const inside = `/proc/${pid}/ns/net`;
  // Fails when the name means nothing: then nothing was prepared.
  const there = await listLinks({ netns, signal });
  await assertAlive(process);
  await run("nsenter", [`--net=${inside}`, "sh", "-c", `${useKernelDefaults} ip link set dev lo up`], { signal });
  for (const { nic } of nics) {
    if (!there.some(({ ifname }) => ifname === nic)) continue;
    await ip(["link", "set", "dev", nic, "netns", String(pid)], { netns, signal });
  }
  await assertAlive(process);
  await renameNetns(netns, pid, signal);
  await assertAlive(process);
  const set = nics.flatMap(({ nic, addresses }) => [
    ["link", "set", "dev", nic, "up"],
    ...addresses
      .map((address) => parseCidr("nic.addresses", address))
      .map((address) => ["address", "replace", address, "dev", nic, ...(address.includes(":") ? ["nodad"] : [])]),
  ]);
  await ipBatch(set, { netns, signal });
  const words = Object.entries(sysctls).flatMap(([name, value]) => [name.replaceAll(".", "/"), value]);
  if (words.length > 0) await run("nsenter", [`--net=${inside}`, "sh", "-c", writeSysctls, "sh", ...words], { signal });
}

/** A pid may be another process's by now. */
async function assertAlive(process: ProcessIdentity): Promise<void> {
  if (await isAlive(process)) return;
  throw failedPrecondition("ENDED_AT_ONCE", "", "its first process ended before its interfaces could be plugged in");
}

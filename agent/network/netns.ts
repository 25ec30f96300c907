import { mkdir, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../lib/errors.js";
import { readIfExists } from "../../lib/files.js";
import { run } from "../host/exec.js";
import { findHostMountNamespace } from "../host/mount-namespace.js";
import { listLinks } from "./ip.js";

const netnsDirectory = "/run/netns";
/** A file for each namespace that an agent made: "zor-agent=UID INODE", the inode being the namespace's. */
const tagDirectory = "/run/zor-netns";
/** NSFS_MAGIC of linux/magic.h: what a mounted namespace file is on. */
const nsfsMagic = 0x6e736673;
const aliasPrefix = "zor-agent=";
/**
 * Shell text for the namespace it runs in. A new one begins with what the host has set for forwarding, redirects, reverse path
 * filters and the like (net.core.devconf_inherit_init_net): it is given the kernel's own defaults (net/ipv4/devinet.c) instead,
 * so that no guest forwards because the host does. Forwarding goes first, since it changes others.
 */
export const useKernelDefaults = `
cd /proc/sys/net || exit
echo 0 >ipv4/ip_forward || exit
if [ -e ipv6/conf/all/forwarding ]; then
  echo 0 >ipv6/conf/default/forwarding && echo 0 >ipv6/conf/all/forwarding || exit
fi
for file in ipv4/conf/*/*; do
  case "$file" in
    */mc_forwarding) ;;
    */accept_redirects | */arp_evict_nocarrier | */secure_redirects | */send_redirects | */shared_media) echo 1 >"$file" ;;
    */igmpv2_unsolicited_report_interval) echo 10000 >"$file" ;;
    */igmpv3_unsolicited_report_interval) echo 1000 >"$file" ;;
    */all/accept_source_route) echo 0 >"$file" ;;
    */accept_source_route) echo 1 >"$file" ;;
    *) echo 0 >"$file" ;;
  esac
done
cd /
`;
/** Sets a new namespace up, tags it ($1, in the directory $3 too) and only then gives it its name ($2): no kill of the agent leaves one half done. */
const setUp = `${useKernelDefaults} ip link set dev lo up alias "$1" && mkdir -p "$3" &&
  echo "$1 $(stat -L -c %i /proc/$$/ns/net)" >"$3/$2" && exec ip netns attach "$2" $$`;

/** Options of calls on namespaces. */
export interface NetnsOptions {
  /** Uid of the agent, the tag of what it made. */
  readonly agentUid: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a named net namespace unless it is there. One that we make is tagged: the alias of its loopback interface names the
 * agent, and so does a file beside it, which a guest in it cannot reach. One that was there untagged is used and never removed. Idempotent.
 * @returns whether it is ours.
 * @throws {ZorError} FAILED_PRECONDITION when it belongs to another agent.
 */
export async function ensureNetns(name: string, options: NetnsOptions): Promise<boolean> {
  if (await netnsExists(name)) {
    const owner = await findOwner(name, options.signal);
    if (owner !== undefined && owner !== options.agentUid) {
      throw failedPrecondition(
        "NETNS_TAKEN",
        `netns/${name}`,
        `net namespace ${name} belongs to another agent; start this one with another --netns`,
      );
    }
    return owner !== undefined;
  }
  await mkdir(netnsDirectory, { recursive: true });
  // A plain file without a namespace is left when one was made in a mount namespace that has ended.
  if ((await readdir(netnsDirectory)).includes(name)) await deleteName(name, options.signal);
  else if (await giveNameBack(name, options)) return true;
  const tag = aliasPrefix + options.agentUid;
  await onHost(["unshare", "--net", "sh", "-c", setUp, "sh", tag, name, tagDirectory], options.signal);
  return true;
}

/**
 * Gives a namespace of ours its name again, which somebody took away (`ip netns delete`) while there are processes in it: one that is made anew
 * has nothing of what they have. Resolves to whether that was so. Reads all of /proc: only for a name that is not there.
 */
export async function giveNameBack(name: string, { agentUid, signal }: NetnsOptions): Promise<boolean> {
  const tag = aliasPrefix + agentUid;
  const [told, inode = ""] = ((await readIfExists(join(tagDirectory, name))) ?? "").trim().split(" ");
  if (told !== tag || inode === "") return false;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const found = await stat(`/proc/${entry}/ns/net`).catch(() => undefined);
    if (found === undefined || String(found.ino) !== inode) continue;
    // The number may be another namespace's by now: ours says in itself whose it is.
    const { stdout } = await run("nsenter", [`--net=/proc/${entry}/ns/net`, "ip", "link", "show", "dev", "lo"], {
      signal,
      acceptedExitCodes: [0, 1],
    });
    if (!stdout.split(/\s+/).includes(tag)) return false;
    await onHost(["ip", "netns", "attach", name, entry], signal);
    return true;
  }
  return false;
}

/** Removes a namespace that we made; leaves any other. Idempotent. */
export async function removeNetns(name: string, options: NetnsOptions): Promise<void> {
  if (!(await netnsExists(name))) return;
  if ((await findOwner(name, options.signal)) === options.agentUid) await deleteName(name, options.signal);
}

/** Namespaces that we made whose names begin with the prefix. */
export async function listOwnedNetns(prefix: string, options: NetnsOptions): Promise<readonly string[]> {
  const names = await readdir(netnsDirectory).catch(() => []);
  const owned: string[] = [];
  for (const name of names.filter((candidate) => candidate.startsWith(prefix))) {
    if (!(await netnsExists(name))) continue;
    if ((await findOwner(name, options.signal)) === options.agentUid) owned.push(name);
  }
  return owned;
}

/** Whether a namespace of that name exists and can be entered. */
async function netnsExists(name: string): Promise<boolean> {
  return (await statfs(join(netnsDirectory, name)).catch(() => undefined))?.type === nsfsMagic;
}

/**
 * Uid of the agent that made a namespace. What the file says counts: the alias is a container's to change. It is read where an agent
 * from before there were files made the namespace.
 */
async function findOwner(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const [told = "", inode = ""] = ((await readIfExists(join(tagDirectory, name))) ?? "").trim().split(" ");
  const found = await stat(join(netnsDirectory, name)).catch(() => undefined);
  // A file of an earlier namespace with that name says nothing.
  if (told !== "" && found !== undefined && String(found.ino) === inode) return told.slice(aliasPrefix.length);
  const links = await listLinks({ netns: name, signal });
  const alias = links.find((link) => link.ifname === "lo")?.ifalias;
  return alias?.startsWith(aliasPrefix) === true ? alias.slice(aliasPrefix.length) : undefined;
}

async function deleteName(name: string, signal: AbortSignal | undefined): Promise<void> {
  await onHost(["ip", "netns", "delete", name], signal);
  await rm(join(tagDirectory, name), { force: true });
}

/**
 * Gives the name of a namespace to the one that a process is in; the tag goes with the name. When it is cut short, nobody has the
 * name: whoever prepares it makes a new namespace.
 */
export async function renameNetns(name: string, pid: number, signal: AbortSignal | undefined): Promise<void> {
  const tag = (await readIfExists(join(tagDirectory, name)))?.trim().split(" ")[0];
  const { ino } = await stat(`/proc/${pid}/ns/net`);
  await deleteName(name, signal);
  if (tag !== undefined && tag !== "") await writeFile(join(tagDirectory, name), `${tag} ${ino}\n`);
  await onHost(["ip", "netns", "attach", name, String(pid)], signal);
}

/** Whether a name is that of the namespace that a process is in. */
export async function isNetnsOf(name: string, pid: number): Promise<boolean> {
  const [named, own] = await Promise.all(
    [join(netnsDirectory, name), `/proc/${pid}/ns/net`].map((path) => stat(path).catch(() => undefined)),
  );
  return named !== undefined && own !== undefined && named.dev === own.dev && named.ino === own.ino;
}

/** Runs a command where names of namespaces outlive the agent, and with them the way back to running instances. */
async function onHost([tool, ...argv]: readonly [string, ...string[]], signal: AbortSignal | undefined): Promise<void> {
  const host = await findHostMountNamespace();
  if (host === undefined) await run(tool, argv, { signal });
  else await run("nsenter", [`--mount=${host}`, tool, ...argv], { signal });
}

import { access, constants, stat, statfs } from "node:fs/promises";
import { messageOf } from "../../lib/errors.js";
import type { Capability } from "../../proto/gen/zor/v1/host.js";
import { missing, present } from "./capability.js";
import { run } from "./exec.js";

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const cgroup2Magic = 0x63677270;

/** Commands of `ip -batch`: such devices stand on others. */
const [macvlan, vlan] = ["macvlan", "vlan id 2"].map(
  (type) => `link add name v0 type veth\nlink add link v0 name v9 type ${type}\n`,
);
const batch = ["ip", "-batch", "-"];

/** Probes what the agent needs of the kernel. Nothing is changed on the host: interfaces are tried in namespaces that end with the probe. */
export async function probeKernel(signal: AbortSignal): Promise<Capability[]> {
  const [root, tun, vhost, cgroup] = await Promise.all([probeRoot(), probeTun(), probeVhostNet(), probeCgroup()]);
  const kernel = await Promise.all([
    inFreshNamespace("netns", ["ip", "link", "show", "dev", "lo"], { signal, remedy: needsNamespaces }),
    inFreshNamespace("veth", ["ip", "link", "add", "name", "v0", "type", "veth"], {
      signal,
      remedy: needsModule("veth"),
    }),
    inFreshNamespace("vxlan", ["ip", "link", "add", "name", "v0", "type", "vxlan", "id", "1", "dstport", "4789"], {
      signal,
      remedy: needsModule("vxlan"),
    }),
    inFreshNamespace("macvlan", batch, { signal, input: macvlan, remedy: needsModule("macvlan") }),
    inFreshNamespace("vlan", batch, { signal, input: vlan, remedy: needsModule("8021q") }),
    inFreshNamespace("netem", ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], {
      signal,
      remedy: needsModule("sch_netem"),
    }),
  ]);
  return [root, tun, ...kernel, vhost, cgroup];
}

async function probeRoot(): Promise<Capability> {
  if (process.getuid?.() === 0) return present("root");
  return missing("root", "not root: namespaces, taps and containers need it; run this with sudo");
}

async function probeTun(): Promise<Capability> {
  try {
    await access("/dev/net/tun", constants.R_OK | constants.W_OK);
    return present("tun");
  } catch {
    return missing("tun", "/dev/net/tun cannot be opened; load module tun, or give the container the device");
  }
}

async function probeVhostNet(): Promise<Capability> {
  const found = await stat("/dev/vhost-net").catch(() => undefined);
  if (found !== undefined) return present("vhost-net");
  return missing(
    "vhost-net",
    "no /dev/vhost-net: machines' packets go through QEMU; load module vhost_net to change that",
  );
}

async function probeCgroup(): Promise<Capability> {
  const root = await statfs("/sys/fs/cgroup").catch(() => undefined);
  if (root === undefined) return missing("cgroup", "/sys/fs/cgroup is not mounted; mount it to limit containers");
  if (root.type === cgroup2Magic) return present("cgroup", "v2");
  const unified = await stat("/sys/fs/cgroup/unified").catch(() => undefined);
  return unified === undefined
    ? present("cgroup", "v1")
    : present("cgroup", "hybrid", "crun refuses it, so the agent hides the unified part from crun");
}

async function inFreshNamespace(
  id: string,
  command: readonly string[],
  options: {
    readonly signal: AbortSignal;
    readonly remedy: (why: string) => string;
    readonly input?: string | undefined;
  },
): Promise<Capability> {
  const { signal, remedy, input = "" } = options;
  try {
    await run("unshare", ["--net", ...command], { signal, timeoutMs: 5000, input });
    return present(id);
  } catch (error) {
    const [line = ""] = messageOf(error).split("\n");
    return missing(id, remedy(line));
  }
}

function needsNamespaces(why: string): string {
  return `${why}; needs root, a kernel with CONFIG_NET_NS, and the packages iproute2 and util-linux`;
}

function needsModule(module: string): (why: string) => string {
  return (why) => `${why}; load module ${module}`;
}

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { agreeing, listed } from "../../lib/words.js";
import type { Capability } from "../../proto/gen/zor/v1/host.js";
import { missing, present } from "./capability.js";
import { run } from "./exec.js";

interface Tool {
  readonly id: string;
  readonly tool: string;
  readonly argv: readonly string[];
  /** Debian package that provides it. */
  readonly packageName: string;
  readonly purpose: string;
}

const tools: readonly Tool[] = [
  { id: "ovs", tool: "ovs-vswitchd", argv: ["--version"], packageName: "openvswitch-switch", purpose: "lans" },
  { id: "tool.qemu-img", tool: "qemu-img", argv: ["--version"], packageName: "qemu-utils", purpose: "disks" },
  { id: "tool.swtpm", tool: "swtpm", argv: ["--version"], packageName: "swtpm", purpose: "TPMs of machines" },
  {
    id: "tool.xorriso",
    tool: "xorriso",
    argv: ["-version"],
    packageName: "xorriso",
    purpose: "seeds and config disks of machines",
  },
  { id: "tool.iproute2", tool: "ip", argv: ["-V"], packageName: "iproute2", purpose: "interfaces" },
  {
    id: "tool.ethtool",
    tool: "ethtool",
    argv: ["--version"],
    packageName: "ethtool",
    purpose: "containers' interfaces",
  },
  { id: "nat.slirp4netns", tool: "slirp4netns", argv: ["--version"], packageName: "slirp4netns", purpose: "nats" },
  { id: "nat.dnsmasq", tool: "dnsmasq", argv: ["--version"], packageName: "dnsmasq-base", purpose: "nats" },
  { id: "nat.nft", tool: "nft", argv: ["--version"], packageName: "nftables", purpose: "nats and bridges" },
  { id: "runtime.docker", tool: "docker", argv: ["--version"], packageName: "docker.io", purpose: "Docker containers" },
  { id: "runtime.podman", tool: "podman", argv: ["--version"], packageName: "podman", purpose: "podman containers" },
  {
    id: "runtime.libvirt",
    tool: "virsh",
    argv: ["--version"],
    packageName: "libvirt-daemon-system and libvirt-clients",
    purpose: "libvirt machines",
  },
];

/** Probes the programs that the agent works with, and Open vSwitch's datapaths. */
export async function probeTools(signal: AbortSignal): Promise<Capability[]> {
  const probed = await Promise.all(tools.map((tool) => probeTool(tool, signal)));
  const ovs = probed.find(({ id }) => id === "ovs");
  return [...probed, ...(await probeDatapaths(ovs?.available === true))];
}

/** Probes the built-in guest image. */
export async function probeMicroImage(imageDirs: readonly string[]): Promise<Capability> {
  const id = "image.micro";
  for (const directory of imageDirs) {
    const found = await stat(join(directory, "micro", "manifest.json")).catch(() => undefined);
    if (found !== undefined) return present(id);
  }
  return missing(id, "the built-in guest image is not there; build it with: npm run setup");
}

/** Reports files that an agent found damaged and set aside. */
export async function probeState(stateDirectory: string): Promise<Capability> {
  const id = "state.files";
  const files = await readdir(stateDirectory, { recursive: true }).catch(() => []);
  const damaged = files.filter((file) => /\.corrupt-[0-9TZ.-]+$/.test(file));
  if (damaged.length === 0) return present(id);
  const were = agreeing(
    damaged.length,
    "was damaged and set aside; look at it, then delete it",
    "were damaged and set aside; look at them, then delete them",
  );
  return missing(id, `${listed(damaged, 3)} ${were}`);
}

async function probeTool({ id, tool, argv, packageName, purpose }: Tool, signal: AbortSignal): Promise<Capability> {
  try {
    const { stdout, stderr } = await run(tool, argv, { signal, timeoutMs: 5000 });
    const [line = ""] = (stdout.trim() === "" ? stderr : stdout).trim().split("\n");
    return present(id, line.slice(0, 80));
  } catch {
    return missing(id, `${tool} is not installed or does not run; ${purpose} need the package ${packageName}`);
  }
}

async function probeDatapaths(installed: boolean): Promise<Capability[]> {
  const system = "ovs.datapath.system";
  const netdev = "ovs.datapath.netdev";
  if (!installed) {
    const reason = "Open vSwitch is not installed; install the package openvswitch-switch";
    return [missing(system, reason), missing(netdev, reason)];
  }
  const loaded = await stat("/sys/module/openvswitch").catch(() => undefined);
  return [
    loaded === undefined
      ? missing(system, "the kernel module openvswitch is not loaded; modprobe it, or lans use the userspace datapath")
      : present(system),
    present(netdev),
  ];
}

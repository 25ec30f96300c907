import { describe, expect, it } from "vitest";
import { buildOciConfig, type OciConfigOptions } from "../../../../../agent/drivers/crun/oci-config.js";

const options: OciConfigOptions = {
  hostname: "c1",
  rootPath: "/state/i/c1/rootfs",
  readOnlyRoot: false,
  workingDirectory: "/srv",
  user: { uid: 0, gid: 0, moreGids: [] },
  walls: "all",
  added: [],
  openFiles: undefined,
  mounts: [],
  devices: [],
  range: undefined,
  command: ["/init", "$(reboot)", "a b"],
  environment: { A: "1", PATH: "/mine" },
  capabilities: ["NET_RAW"],
  agentLimits: { openFiles: 20_000, processes: 1000, oomScoreAdjustment: 0, capabilities: ["NET_RAW"] },
  sysctls: { "net.ipv4.ip_forward": "1" },
  writableNetSysctls: true,
  sharedSysctlPaths: ["/proc/sys/net/netfilter/nf_hooks_lwtunnel"],
  netnsPath: "/run/netns/zor-alpha.0123456789",
  cgroupsPath: "/zor-u1",
  resources: { memory: { limit: 67_108_864 } },
  filtersDevices: true,
  annotations: { "zor.instance": "u1" },
};

/** The parts of the runtime specification that are looked at. */
interface Config {
  readonly process: {
    readonly args: string[];
    readonly env: string[];
    readonly terminal: boolean;
    readonly noNewPrivileges: boolean;
    readonly rlimits: object[];
    readonly oomScoreAdj?: number;
    readonly capabilities: Record<string, string[]>;
  };
  readonly mounts: { readonly destination: string; readonly options: string[] }[];
  readonly linux: {
    readonly namespaces: { readonly type: string; readonly path?: string }[];
    readonly resources: Record<string, unknown>;
    readonly maskedPaths: string[];
    readonly readonlyPaths: string[];
  };
}

const build = (changes: Partial<OciConfigOptions> = {}) => buildOciConfig({ ...options, ...changes }) as Config; // as the specification says

describe("the configuration of a container", () => {
  it("takes command and environment as they are, with a path unless one is given", () => {
    const { process } = build();
    expect(process.args).toEqual(options.command);
    expect(process.env).toEqual(expect.arrayContaining(["A=1", "PATH=/mine"]));
    expect(build({ environment: {} }).process.env.some((entry) => entry.startsWith("PATH=/"))).toBe(true);
    expect(process.terminal).toBe(true);
  });

  it.each([
    "CAP_SYS_ADMIN",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_PTRACE",
    "CAP_SYS_BOOT",
    "CAP_MKNOD",
    "CAP_BPF",
  ])("does not give %s", (capability) => {
    expect(Object.values(build().process.capabilities).flat()).not.toContain(capability);
  });

  it("gives no new privileges, hides what the kernel tells of the host, and refuses what no namespace separates", () => {
    const { process, linux, mounts } = build();
    expect(process.noNewPrivileges).toBe(true);
    expect(linux.maskedPaths).toContain("/proc/kcore");
    expect(linux.readonlyPaths).toContain("/proc/sys");
    expect(mounts.find(({ destination }) => destination === "/sys")?.options).toContain("ro");
  });

  it("separates everything and joins the net namespace that was made for it", () => {
    const { namespaces } = build().linux;
    expect(namespaces.map(({ type }) => type).sort()).toEqual(["cgroup", "ipc", "mount", "network", "pid", "uts"]);
    expect(namespaces.find(({ type }) => type === "network")?.path).toBe(options.netnsPath);
  });

  it("filters devices where the host can, lets those through that are granted, and all without walls", () => {
    const tun = { path: "/dev/net/tun", type: "c", major: 10, minor: 200, access: "rw" } as const;
    const { resources } = build({ devices: [tun] }).linux;
    const own = { allow: true, type: "c", major: 10, minor: 200, access: "rw" };
    expect(resources["devices"]).toEqual([{ allow: false, access: "rwm" }, own]);
    expect(resources["memory"]).toEqual({ limit: 67_108_864 });
    expect(build({ filtersDevices: false }).linux.resources["devices"]).toBeUndefined();
    expect(build({ walls: "none" }).linux.resources["devices"]).toEqual([{ allow: true, access: "rwm" }]);
  });

  it("gives others than root what was asked for and nothing else", () => {
    const user = { uid: 1000, gid: 100, moreGids: [5] };
    const { capabilities } = build({ user, capabilities: ["NET_RAW", "KILL"], added: ["NET_RAW"] }).process;
    expect(capabilities["bounding"]).toEqual(["CAP_NET_RAW", "CAP_KILL"]);
    for (const set of ["effective", "permitted", "inheritable", "ambient"]) {
      expect(capabilities[set]).toEqual(["CAP_NET_RAW"]);
    }
  });

  it("has no walls when it is privileged, and maps its ids when it has a range", () => {
    const { linux, process } = build({ walls: "none" });
    expect([linux.maskedPaths, linux.readonlyPaths, process.noNewPrivileges]).toEqual([undefined, undefined, false]);
    const mapped = build({ range: { first: 1_073_741_824, count: 65_536 } }).linux as Config["linux"] & {
      readonly uidMappings: object[];
    };
    expect(mapped.uidMappings).toEqual([{ containerID: 0, hostID: 1_073_741_824, size: 65_536 }]);
    expect(mapped.namespaces.map(({ type }) => type)).toContain("user");
  });

  it.each([
    [true, ["/proc/sys/net"]],
    [false, []],
  ])("keeps the sysctls of its net namespace writable where the runtime can: %s", (writableNetSysctls, mounted) => {
    const { mounts } = build({ writableNetSysctls });
    expect(mounts.map(({ destination }) => destination).filter((path) => path.startsWith("/proc/"))).toEqual(mounted);
  });

  it("keeps what is the machine's among them read-only", () => {
    const { linux, mounts } = build({});
    expect(mounts.map(({ destination }) => destination)).toContain("/proc/sys/net");
    expect(linux.readonlyPaths).toEqual(
      expect.arrayContaining(["/proc/sys", "/proc/sys/net/netfilter/nf_hooks_lwtunnel"]),
    );
  });

  it.each([
    [20_000, 0, 1024, 20_000, undefined],
    [512, 300, 512, 512, undefined],
    [Number.MAX_SAFE_INTEGER, -500, 1024, 524_288, 0],
  ])(
    "hands on neither an agent's %i open files nor its place %i among those spared",
    (openFiles, adjustment, soft, hard, oom) => {
      const agentLimits = { openFiles, processes: 1000, oomScoreAdjustment: adjustment, capabilities: [] };
      const { process } = build({ agentLimits });
      expect(process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft, hard }]);
      expect(process.oomScoreAdj).toBe(oom);
    },
  );
});

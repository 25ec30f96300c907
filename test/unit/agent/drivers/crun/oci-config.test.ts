import { describe, expect, it } from "vitest";
import { buildOciConfig, type OciConfigOptions } from "../../../../../agent/drivers/crun/oci-config.js";

const options: OciConfigOptions = {
  hostname: "c1",
  rootPath: "/state/i/c1/rootfs",
  command: ["/init", "$(reboot)", "a b"],
  environment: { A: "1", PATH: "/mine" },
  capabilities: ["NET_RAW"],
  agentLimits: { openFiles: 20_000, processes: 1000, oomScoreAdjustment: 0, capabilities: ["NET_RAW"] },
  sysctls: { "net.ipv4.ip_forward": "1" },
  writableNetSysctls: true,
  netnsPath: "/run/netns/zor-alpha.0123456789",
  cgroupsPath: "/zor-u1",
  memoryMib: 64,
  cpus: 2,
  controllers: new Set(["memory", "cpu", "pids", "freezer", "devices"]),
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

  it.each([
    ["everything", ["memory", "cpu", "pids", "devices"], ["cpu", "devices", "memory", "pids"]],
    ["no memory", ["cpu", "pids"], ["cpu", "pids"]],
    ["nothing", [], []],
  ] as const)("limits what the host can limit: %s", (_, controllers, limited) => {
    const { resources } = build({ controllers: new Set(controllers) }).linux;
    expect(Object.keys(resources).sort()).toEqual(limited);
  });

  it.each([
    [true, ["/proc/sys/net"]],
    [false, []],
  ])("keeps the sysctls of its net namespace writable where the runtime can: %s", (writableNetSysctls, mounted) => {
    const { mounts } = build({ writableNetSysctls });
    expect(mounts.map(({ destination }) => destination).filter((path) => path.startsWith("/proc/"))).toEqual(mounted);
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

  it("turns MiB and CPUs into bytes and quota", () => {
    expect(build().linux.resources).toMatchObject({
      memory: { limit: 67_108_864 },
      cpu: { quota: 200_000, period: 100_000 },
    });
  });
});

import { describe, expect, it } from "vitest";
import { buildContainerConfig } from "../../../../../agent/drivers/engine-api/container-config.js";
import { checkEngineOptions, signalName } from "../../../../../agent/drivers/engine-api/options-check.js";
import { ContainerEngineOptions, ImagePull } from "../../../../../proto/gen/zor/v1/container_engine.js";

const base = "instance.spec.docker";
const check = (options: Parameters<typeof ContainerEngineOptions.fromPartial>[0]) =>
  checkEngineOptions(base, ContainerEngineOptions.fromPartial({ image: "debian:12", ...options })).map(
    ({ field }) => field,
  );

describe("the options of a container in an engine", () => {
  it("are accepted when they are good", () => {
    expect(
      check({
        pull: ImagePull.IMAGE_PULL_ALWAYS,
        command: ["sleep", "1d"],
        entrypoint: ["/bin/sh", "-c"],
        environment: { A: "b" },
        workingDirectory: "/srv",
        user: "1000:1000",
        hostname: "r1.lab",
        sysctls: { "net.ipv4.ip_forward": "1" },
        tmpfsMib: { "/run": 16 },
        maxTasks: 10,
        cpuSet: "0-1,3",
        stopSignal: "SIGRTMIN+3",
        ioWeight: 500,
        readBytesPerSecond: 4096n,
        writeOperationsPerSecond: 1n,
      }),
    ).toEqual([]);
    expect(check({ image: "file:lab/frr.tar" })).toEqual([]);
    expect(check({ image: "micro" })).toEqual([]);
    expect(check({ networkOf: "r1", sysctls: { "kernel.shmmax": "1048576" } })).toEqual([]);
    expect(check({ swapMib: -1n })).toEqual([`${base}.swap_mib`]);
  });

  it.each([
    [{ image: "../x" }, `${base}.image`],
    [{ image: "micro", pull: ImagePull.IMAGE_PULL_ALWAYS }, `${base}.pull`],
    [{ pull: 77 as ImagePull }, `${base}.pull`],
    [{ command: [""] }, `${base}.command[0]`],
    [{ entrypoint: ["a\0b"] }, `${base}.entrypoint[0]`],
    [{ environment: { "1A": "b" } }, `${base}.environment`],
    [{ workingDirectory: "srv" }, `${base}.working_directory`],
    [{ workingDirectory: "/a/../../b" }, `${base}.working_directory`],
    [{ workingDirectory: "/a:/b" }, `${base}.working_directory`],
    [{ user: "root;id" }, `${base}.user`],
    [{ user: "-x" }, `${base}.user`],
    [{ hostname: "a b" }, `${base}.hostname`],
    [{ hostname: "-a" }, `${base}.hostname`],
    [{ sysctls: { "kernel.panic": "1" } }, `${base}.sysctls`],
    [{ tmpfsMib: { "/": 1 } }, `${base}.tmpfs_mib`],
    [{ tmpfsMib: { "/a,exec": 1 } }, `${base}.tmpfs_mib`],
    [{ tmpfsMib: { "/run": 0 } }, `${base}.tmpfs_mib["/run"]`],
    [{ maxTasks: 0 }, `${base}.max_tasks`],
    [
      { mounts: [{ target: "/a:b", source: { $case: "hostPath" as const, value: "/srv" } }] },
      `${base}.mounts[0].target`,
    ],
    [
      { mounts: [{ target: "/proc/x", source: { $case: "hostPath" as const, value: "/srv" } }] },
      `${base}.mounts[0].target`,
    ],
    [{ mounts: [{ target: "/a" }] }, `${base}.mounts[0].host_path`],
    [
      { mounts: [{ target: "/a", source: { $case: "hostPath" as const, value: "/srv/../etc" } }] },
      `${base}.mounts[0].host_path`,
    ],
    [{ devices: [{ hostPath: "/etc/passwd" }] }, `${base}.devices[0].path`],
    [{ devices: [{ hostPath: "/dev/a:rwm" }] }, `${base}.devices[0].path`],
    [{ healthCheck: { command: [] } }, `${base}.health_check.command`],
    [{ dns: { servers: ["x"] } }, `${base}.dns.servers[0]`],
    [{ extraHosts: { "a b": "10.0.0.1" } }, `${base}.extra_hosts`],
    [{ cpuSet: "0-" }, `${base}.cpu_set`],
    [{ ioWeight: 0 }, `${base}.io_weight`],
    [{ ioWeight: 10_001 }, `${base}.io_weight`],
    [{ networkOf: "../r1" }, `${base}.network_of`],
    [{ networkOf: "r1", sysctls: { "net.ipv4.ip_forward": "1" } }, `${base}.sysctls`],
    [{ networkOf: "r1", hostname: "x" }, `${base}.hostname`],
    [{ networkOf: "r1", dns: { servers: ["10.0.0.53"] } }, `${base}.dns`],
    [{ networkOf: "r1", extraHosts: { a: "10.0.0.1" } }, `${base}.extra_hosts`],
    [{ networkOf: "r1", persistent: true }, `${base}.persistent`],
    [{ stopSignal: "SIGNONE" }, `${base}.stop_signal`],
    [{ capabilities: { add: ["NONE"], drop: [] } }, `${base}.capabilities.add[0]`],
  ])("%j is refused by its field", (options, field) => {
    expect(check(options)).toEqual([field]);
  });

  it.each([
    ["read_bytes_per_second", { readBytesPerSecond: 4095n }],
    ["write_bytes_per_second", { writeBytesPerSecond: -1n }],
    ["read_operations_per_second", { readOperationsPerSecond: -1n }],
    ["write_operations_per_second", { writeOperationsPerSecond: 2n ** 60n }],
  ])("%s is refused when it is none", (field, options) => {
    expect(check(options)).toEqual([`${base}.${field}`]);
  });

  it("name signals as engines do", () => {
    expect(["term", "SIGINT", "RTMIN+3", "SIGRTMAX-1", "RTMIN+99", "x"].map(signalName)).toEqual([
      ...["SIGTERM", "SIGINT", "SIGRTMIN+3", "SIGRTMAX-1", undefined, undefined],
    ]);
  });

  it("make a container without any right or network of the engine's own", () => {
    const config = buildContainerConfig({
      instance: { name: "hosts/h1/instances/c1", id: "c1", uid: "u1" },
      options: ContainerEngineOptions.fromPartial({ image: "debian:12", stopSignal: "int", tmpfsMib: { "/run": 16 } }),
      image: "sha256:1",
      cpus: 2,
      memoryMib: 64,
      capabilities: ["NET_ADMIN"],
      agentLimits: { openFiles: 5000, processes: 100 },
      access: { mounts: [], devices: [] },
      traffic: { BlkioDeviceReadBps: [{ Path: "/dev/vda", Rate: 4096 }] },
      networkMode: "none",
      product: { kind: "docker", logDriver: "json-file", raisesLimits: true, tellsNameServers: true },
    });
    expect(config).toMatchObject({
      Image: "sha256:1",
      Hostname: "c1",
      Labels: { "zorhub.uid": "u1", "zorhub.instance": "hosts/h1/instances/c1" },
      StopSignal: "SIGINT",
      HostConfig: {
        NetworkMode: "none",
        BlkioDeviceReadBps: [{ Path: "/dev/vda", Rate: 4096 }],
        Privileged: false,
        CapDrop: ["ALL"],
        CapAdd: ["NET_ADMIN"],
        SecurityOpt: ["no-new-privileges"],
        RestartPolicy: { Name: "no" },
        Memory: 64 * 1024 * 1024,
        NanoCpus: 2_000_000_000,
        PidsLimit: 4096,
        Tmpfs: { "/run": "rw,nosuid,nodev,mode=1777,size=16m" },
        Ulimits: [
          { Name: "nofile", Soft: 1024, Hard: 5000 },
          { Name: "nproc", Soft: 100, Hard: 100 },
        ],
      },
    });
  });

  it("give it of the host what was granted, and walls unless it is privileged", () => {
    const make = (
      options: Parameters<typeof ContainerEngineOptions.fromPartial>[0],
      kind: "docker" | "podman",
      networkMode = "none",
    ) =>
      buildContainerConfig({
        instance: { name: "hosts/h1/instances/c1", id: "c1", uid: "u1" },
        options: ContainerEngineOptions.fromPartial({ image: "debian:12", ...options }),
        image: "sha256:1",
        cpus: 1,
        memoryMib: 64,
        capabilities: ["NET_ADMIN"],
        agentLimits: { openFiles: 5000, processes: 100 },
        access: {
          mounts: [{ path: "/srv/lab", target: "/data", readOnly: true }],
          devices: [{ hostPath: "/dev/net/tun", path: "", readOnly: false }],
        },
        traffic: {},
        networkMode,
        product: { kind, logDriver: "json-file", raisesLimits: true, tellsNameServers: true },
      });
    const swapMib = 16n;
    const mounts = [{ target: "/scratch", source: { $case: "tmpfsMib" as const, value: 8n }, readOnly: true }];
    const dns = { servers: ["10.0.0.53"], search: ["lab"] };
    const config = make({ privileged: true, swapMib, mounts, dns, extraHosts: { r1: "10.0.0.1" } }, "docker");
    expect(config).toMatchObject({
      HostConfig: {
        Privileged: true,
        MemorySwap: 80 * 1024 * 1024,
        Devices: [{ PathOnHost: "/dev/net/tun", PathInContainer: "/dev/net/tun", CgroupPermissions: "rw" }],
        Mounts: [{ Type: "bind", Source: "/srv/lab", Target: "/data", ReadOnly: true }],
        Tmpfs: { "/scratch": "ro,nosuid,nodev,mode=1777,size=8m" },
        Dns: ["10.0.0.53"],
        ExtraHosts: ["r1:10.0.0.1"],
      },
    });
    expect(config).not.toHaveProperty("HostConfig.CapDrop");
    expect(config).not.toHaveProperty("Healthcheck");
    expect(make({}, "podman")).toMatchObject({ Healthcheck: { Test: ["NONE"] } });
    expect(make({}, "podman", "ns:/run/netns/n")).toMatchObject({
      Hostname: "c1",
      HostConfig: { NetworkMode: "ns:/run/netns/n" },
    });
    expect(make({}, "docker", "container:1")).not.toHaveProperty("Hostname");
    expect(make({ healthCheck: { command: ["true"] } }, "docker")).toMatchObject({ Healthcheck: { Test: ["NONE"] } });
  });
});

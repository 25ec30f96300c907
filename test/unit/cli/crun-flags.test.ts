import { describe, expect, it } from "vitest";
import { instanceSpec } from "../../../tui/kinds/instance/flags.js";

/** The options of a container that these flags, as they were read from a command line, ask for. */
function optionsOf(values: Readonly<Record<string, unknown>>, words: readonly string[] = []) {
  const { driver } = instanceSpec({ values: { rootfs: "micro", ...values }, words });
  if (driver?.$case !== "crun") throw new Error("not a container");
  return driver.value;
}

describe("flags of containers", () => {
  it("say all that is said often", () => {
    const options = optionsOf(
      {
        ...{
          entrypoint: ["/bin/sh", "-c"],
          workdir: "/srv",
          user: "web",
          hostname: "r1",
          readOnly: true,
          userns: true,
        },
        ...{ dns: ["192.0.2.53"], dnsSearch: ["lab"], addHost: ["peer=192.0.2.7"], device: ["/dev/net/tun"] },
        ...{ mount: ["host=/srv/lab,at=/data,ro"], tmpfs: ["/scratch=64M"], init: "systemd" },
        ...{ memorySwap: "0", pidsLimit: "100", cpuset: "0-1" },
        ...{ ioWeight: "500", readBps: "1M", writeBps: "8k", readIops: "100", writeIops: "50", networkOf: "r2" },
        ...{ healthCmd: "wget -q localhost", healthInterval: "5s", healthRetries: "2", healthEnd: true },
      },
      ["sleep", "1"],
    );
    expect(options).toMatchObject({
      ...{ entrypoint: ["/bin/sh", "-c"], command: ["sleep", "1"], workingDirectory: "/srv", user: "web" },
      ...{ hostname: "r1", readOnlyRoot: true, userNamespace: true, init: "systemd" },
      dns: { servers: ["192.0.2.53"], search: ["lab"] },
      extraHosts: { peer: "192.0.2.7" },
      devices: [{ hostPath: "/dev/net/tun" }],
      mounts: [
        { target: "/data", source: { $case: "hostPath", value: "/srv/lab" }, readOnly: true },
        { target: "/scratch", source: { $case: "tmpfsMib", value: 64n }, readOnly: false },
      ],
      networkOf: "r2",
      limits: {
        ...{ swapMib: 0n, pids: 100, cpuset: "0-1", ioWeight: 500, readBytesPerSecond: 1_048_576n },
        ...{ writeBytesPerSecond: 8192n, readOperationsPerSecond: 100n, writeOperationsPerSecond: 50n },
      },
      healthCheck: {
        command: ["/bin/sh", "-c", "wget -q localhost"],
        interval: { seconds: 5n, nanos: 0 },
        retries: 2,
        endWhenUnhealthy: true,
      },
    });
  });

  it.each([
    ["a mount without a place", { mount: ["host=/srv"] }, /--mount.*at=PATH/],
    ["a size that is none", { tmpfs: ["/x=much"] }, /--tmpfs/],
    ["a rate that is none", { readBps: "much" }, /--read-bps/],
    ["no reads at all", { readIops: "0" }, /--read-iops/],
    ["a health check without a command", { healthInterval: "5s" }, /--health-cmd/],
  ])("are refused with %s", (_, values, words) => {
    expect(() => optionsOf(values)).toThrow(words);
  });
});

import { describe, expect, it } from "vitest";
import { parseNetStatistics } from "../../../../agent/drivers/containers/net-statistics.js";
import { parseDescription, parseStatistics } from "../../../../agent/drivers/libvirt/domain-statistics.js";
import { statisticsText } from "../../../../tui/cli/commands/stats.js";

const domain = `Domain: 'a
  cpu.time=9'
  cpu.time=1500000000
  balloon.current=131072
  balloon.maximum=262144
  balloon.rss=65536
  net.count=1
  net.0.name=vnet0
  net.0.rx.bytes=10
  net.0.rx.pkts=2
  net.0.rx.errs=1
  net.0.rx.drop=3
  net.0.tx.bytes=20
  net.0.tx.pkts=4
  block.count=1
  block.0.name=vda
  block.0.rd.reqs=5
  block.0.rd.bytes=4096
  block.0.wr.reqs=x
`;

describe("statistics", () => {
  it("of a domain are what its libvirt counted, and nothing that it did not", () => {
    const parsed = parseStatistics(domain.replace("a\n  cpu.time=9", "a"), new Date(0));
    expect(parsed).toMatchObject({
      cpuTime: { seconds: 1n, nanos: 500_000_000 },
      memoryBytes: 64n * 2n ** 20n,
      memoryLimitBytes: 256n * 2n ** 20n,
      disks: [{ name: "vda", readBytes: 4096n, readOperations: 5n, writeOperations: 0n }],
      interfaces: [{ name: "vnet0", rxBytes: 10n, rxPackets: 2n, rxDropped: 4n, txBytes: 20n }],
    });
    expect(parseStatistics("Domain: 'test'\n", new Date(0))).toMatchObject({ cpuTime: undefined, disks: [] });
    const info = "Id:             1\nCPU time:       0.5s\nMax memory:     2048 KiB\nUsed memory:    x KiB\n";
    expect(parseDescription(info, new Date(0))).toMatchObject({
      cpuTime: { seconds: 0n, nanos: 500_000_000 },
      memoryBytes: undefined,
      memoryLimitBytes: 2n ** 21n,
    });
    expect(statisticsText(parsed).split("\n")[0]).toMatch(/^cpu +1\.5 s$/);
    expect(statisticsText(undefined)).toBe("its runtime counts nothing");
  });

  it("of interfaces are those of all but the one to itself", () => {
    const table = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       5       1    0    0    0     0          0         0        5       1    0    0    0     0       0          0
  eth0:    1326      17    1    2    0     0          0         0      700      10    0    4    0     0       0          0
`;
    expect(parseNetStatistics(table)).toEqual([
      { name: "eth0", rxBytes: 1326n, rxPackets: 17n, rxDropped: 3n, txBytes: 700n, txPackets: 10n, txDropped: 4n },
    ]);
  });
});

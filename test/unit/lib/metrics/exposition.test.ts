import { describe, expect, it } from "vitest";
import { exposition } from "../../../../lib/metrics/exposition.js";
import type { FigureReading } from "../../../../lib/metrics/figure-families.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../../proto/gen/zor/v1/lan.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

const own = { program: "hub", hooks: [], events: { last: 7 } };

async function text(log: WatchLog, readings: readonly FigureReading[] = []): Promise<string> {
  let all = "";
  for await (const piece of exposition({ log, own, measured: () => readings })) all += piece;
  return all;
}

function reading(name: string, part: string, ...values: readonly (readonly [Figure, number])[]): FigureReading {
  const map = new Map(values);
  return { name, part, valueAt: (figure) => map.get(figure) };
}

describe("metrics", () => {
  it("tell what is measured in seconds, bytes and frames, a family at a time", async () => {
    const all = await text(new WatchLog(), [
      reading("hosts/alpha", "", [Figure.FIGURE_CPU_USER_TIME, 1500], [Figure.FIGURE_PRESSURE_IO_TIME, 20]),
      reading("hosts/alpha", "disk:sda", [Figure.FIGURE_DISK_BUSY_TIME, 250], [Figure.FIGURE_DISK_READ_TOTAL, 4096]),
      reading("hosts/alpha", "sensor:pkg", [Figure.FIGURE_TEMPERATURE, 41_500]),
      reading("hosts/alpha/instances/vm1", "", [Figure.FIGURE_CPU_TIME, 2345], [Figure.FIGURE_MEMORY_GUEST, 0]),
      reading("hosts/beta/instances/vm1", "", [Figure.FIGURE_CPU_TIME, 10], [Figure.FIGURE_MEMORY_GUEST, 512]),
      reading("hosts/alpha/wires/w1", "a", [Figure.FIGURE_NET_IN_TOTAL, 99]),
      reading("links/l1", "hosts/alpha/lans/lan1", [Figure.FIGURE_NET_OUT_FRAMES_TOTAL, 7]),
      reading("hosts/alpha/gadgets/new", "", [Figure.FIGURE_CPU_TIME, 1]),
    ]);
    const lines = all.split("\n").filter((line) => !line.startsWith("#") && !/^zor_(process|build|events)/.test(line));
    expect(lines.filter((line) => line !== "").sort()).toEqual([
      'zor_host_cpu_seconds_total{host="alpha",mode="user"} 1.5',
      'zor_host_disk_io_time_seconds_total{host="alpha",device="sda"} 0.25',
      'zor_host_disk_read_bytes_total{host="alpha",device="sda"} 4096',
      'zor_host_pressure_io_waiting_seconds_total{host="alpha"} 0.02',
      'zor_host_temperature_celsius{host="alpha",sensor="pkg"} 41.5',
      'zor_instance_cpu_seconds_total{host="alpha",instance_id="vm1"} 2.345',
      'zor_instance_cpu_seconds_total{host="beta",instance_id="vm1"} 0.01',
      'zor_instance_memory_guest_bytes{host="beta",instance_id="vm1"} 512',
      'zor_link_port_transmit_frames_total{host="alpha",link="l1",endpoint="hosts/alpha/lans/lan1"} 7',
      'zor_wire_end_receive_bytes_total{host="alpha",wire="w1",end="a"} 99',
    ]);
    expect(all.match(/^# TYPE zor_instance_cpu_seconds_total counter$/gm)).toHaveLength(1);
  });

  it("tell each resource under the labels that it is found by", async () => {
    const log = new WatchLog();
    log.upsert({
      kind: "host",
      value: Host.fromPartial({
        name: "hosts/alpha",
        state: 3,
        lastSeenTime: new Date(1_700_000_000_500),
        fingerprint: { cpus: 4, memoryMib: 1024n },
        summary: { loadAverage: 0.5, memoryAvailableMib: 512n },
      }),
    });
    log.upsert({ kind: "host", value: Host.fromPartial({ name: "hosts/beta", state: 4 }) });
    log.upsert({
      kind: "instance",
      value: Instance.fromPartial({ name: "hosts/alpha/instances/vm1", status: { state: 3, restart: { count: 2 } } }),
    });
    log.upsert({
      kind: "lan",
      value: Lan.fromPartial({
        name: "hosts/alpha/lans/lan1",
        status: { ports: [{ endpoint: "links/l1", rxBytes: 12_345_678_901_234n, droppedFrames: 3n }] },
      }),
    });
    log.upsert({
      kind: "link",
      value: Link.fromPartial({
        name: "links/l1",
        status: {
          state: 3,
          rtt: { seconds: 0n, nanos: 1_500_000 },
          endA: { lan: "hosts/alpha/lans/lan1", txBytes: 9n },
        },
      }),
    });
    const lines = (await text(log)).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        "# TYPE zor_host_up gauge",
        'zor_host_up{host="alpha"} 1',
        'zor_host_up{host="beta"} 0',
        'zor_host_last_seen_timestamp_seconds{host="alpha"} 1700000000.5',
        'zor_host_memory_available_bytes{host="alpha"} 536870912',
        'zor_instance_state{host="alpha",instance_id="vm1",state="running"} 1',
        'zor_instance_restarts_total{host="alpha",instance_id="vm1"} 2',
        'zor_lan_ports{host="alpha",lan="lan1"} 1',
        'zor_lan_port_receive_bytes_total{host="alpha",lan="lan1",endpoint="links/l1"} 12345678901234',
        'zor_link_up{link="l1"} 1',
        'zor_link_rtt_seconds{link="l1"} 0.0015',
        'zor_link_end_transmit_bytes_total{link="l1",end="a",lan="hosts/alpha/lans/lan1"} 9',
        "zor_events_position_total 7",
      ]),
    );
    // What is not known is not told as 0.
    expect(lines.filter((line) => line.startsWith('zor_host_cpus{host="beta"'))).toEqual([]);
  });

  it("keep what agents say within its label", async () => {
    const log = new WatchLog();
    const endpoint = 'a"} 1\nzor_host_up{host="x\\';
    log.upsert({ kind: "lan", value: Lan.fromPartial({ name: "hosts/a/lans/l", status: { ports: [{ endpoint }] } }) });
    const lines = (await text(log)).split("\n").filter((line) => line.startsWith("zor_lan_port_receive_bytes_total"));
    expect(lines).toEqual([
      'zor_lan_port_receive_bytes_total{host="a",lan="l",endpoint="a\\"} 1\\nzor_host_up{host=\\"x\\\\"} 0',
    ]);
    expect(await text(log)).not.toMatch(/^zor_host_up/m);
  });

  it("let others have their turn while many are told", async () => {
    const log = new WatchLog();
    for (let index = 0; index < 20_000; index += 1) {
      const name = `hosts/h${index % 50}/instances/vm${index}`;
      log.upsert({ kind: "instance", value: Instance.fromPartial({ name, status: { state: 3 } }) });
    }
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const all = await text(log);
    isDone = true;
    expect(all.match(/^zor_instance_state/gm)?.length).toBe(20_000);
    expect(turns).toBeGreaterThan(1);
  });
});

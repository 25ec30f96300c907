import { describe, expect, it } from "vitest";
import { exposition } from "../../../../lib/metrics/exposition.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../../proto/gen/zor/v1/lan.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

const own = { program: "hub", hooks: [], events: { last: 7 } };

async function text(log: WatchLog): Promise<string> {
  let all = "";
  for await (const piece of exposition(log, own)) all += piece;
  return all;
}

describe("metrics", () => {
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

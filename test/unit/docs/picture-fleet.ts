import type { Watched } from "../../../lib/figures/decoder.js";
import { FigureHistory } from "../../../proto/gen/zor/v1/figures_service.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { GraphReader } from "../../../tui/kit/map/graph.js";
import type { Model } from "../../../tui/kit/model.js";
import { fakeFleet } from "../../fakes/fleet-data.js";
import { smallLab } from "../../fakes/topology.js";
import { reset, snapshotEnd, upsert } from "../tui/steps.js";

/** What the instances of the made-up fleet are called in the pictures, by host. */
const names: Readonly<Record<string, readonly string[]>> = {
  alpha: ["r1", "web1", "db1", "build1"],
  beta: ["r2", "client1", "client2", "build2"],
  gamma: ["r3", "probe1", "probe2", "build3"],
};

/** Feeds a model with the fleet of the pictures: three hosts, one of which does not answer. */
export function feedPictureFleet({ fleet, nowMs }: Model): void {
  fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  fleet.apply(reset, nowMs);
  for (const resource of fakeFleet({ hosts: 3, instancesPerHost: 4, unreachable: 1, nowMs })) {
    const { value } = resource;
    value.name = value.name.replace(
      /^hosts\/(\w+)\/instances\/vm(\d)$/,
      (whole, host: string, number: string) => `hosts/${host}/instances/${names[host]?.[Number(number)] ?? whole}`,
    );
    fleet.apply(upsert(resource), nowMs);
  }
  fleet.apply(snapshotEnd, nowMs);
}

/** Feeds a model with the lab of the picture of the map. */
export function feedSmallLab({ fleet, nowMs }: Model): void {
  fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  fleet.apply(reset, nowMs);
  for (const resource of smallLab()) fleet.apply(upsert(resource), nowMs);
  fleet.apply(snapshotEnd, nowMs);
}

/** Feeds a model with the same lab, and with what its lans say of what is plugged in. */
export function feedPluggedLab(model: Model): void {
  feedSmallLab(model);
  const { fleet, nowMs } = model;
  const { hosts, cables } = new GraphReader(fleet).read();
  for (const { lans, things, cables: within } of hosts.values()) {
    const ends = [...things, ...within, ...cables].flatMap((thing) => thing.ends);
    for (const { name } of lans) {
      const lan = fleet.find("lan", name)?.resource;
      const ports = ends
        .filter(({ into }) => into === name)
        .map(({ name: endpoint }, index) => ({
          ...{
            endpoint,
            port: `zt${index}`,
            rxFrames: BigInt(1200 * (index + 1)),
            txFrames: BigInt(900 * (index + 1)),
          },
        }));
      const value = Lan.fromPartial({ ...lan, status: { ports } });
      fleet.apply(upsert({ kind: "lan", value }), nowMs);
    }
  }
}

/** What the instances of the pictures use. */
export function usedInPictures(): readonly Watched[] {
  const used = (name: string, [cpu, memory, disk, traffic]: readonly [number, number, number, number]): Watched => ({
    ...{ host: name.split("/").slice(0, 2).join("/"), name, part: "" },
    values: new Map([
      [Figure.FIGURE_CPU, cpu],
      // All have two CPUs.
      [Figure.FIGURE_CPU_OF_LIMIT, cpu / 2],
      [Figure.FIGURE_MEMORY, memory * 1024 * 1024],
      [Figure.FIGURE_DISK_WRITE, disk],
      [Figure.FIGURE_NET_IN, traffic],
    ]),
  });
  return [
    used("hosts/alpha", [1740, 5200, 0, 0]),
    used("hosts/beta", [380, 3100, 0, 0]),
    used("hosts/alpha/instances/r1", [910, 118, 4_000, 2_400_000]),
    used("hosts/alpha/instances/db1", [560, 402, 3_700_000, 82_000]),
    used("hosts/beta/instances/r2", [240, 120, 0, 2_300_000]),
    used("hosts/beta/instances/client2", [31, 96, 12_000, 9_000]),
  ];
}

/** What the instance of the pictures used in the last hour. */
export function historyInPictures(nowMs: number): readonly FigureHistory[] {
  const name = "hosts/alpha/instances/r1";
  const course = (figure: Figure, valueAt: (minute: number) => number): FigureHistory =>
    FigureHistory.fromPartial({
      ...{ host: "hosts/alpha", name, figure },
      points: Array.from({ length: 360 }, (_, at) => {
        const value = BigInt(Math.max(0, Math.round(valueAt(at / 6))));
        return { time: new Date(nowMs - (360 - at) * 10_000), average: value, most: value };
      }),
    });
  const wave = (minute: number, length: number): number => Math.sin((minute / length) * 2 * Math.PI);
  return [
    course(Figure.FIGURE_CPU, (minute) => 500 + 380 * wave(minute, 31) + 60 * wave(minute, 3)),
    course(Figure.FIGURE_NET_IN, (minute) => 1_400_000 + 900_000 * wave(minute, 31) + 200_000 * wave(minute, 5)),
    course(Figure.FIGURE_NET_OUT, (minute) => 900_000 + 500_000 * wave(minute + 8, 23)),
  ];
}

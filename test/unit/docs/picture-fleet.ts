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

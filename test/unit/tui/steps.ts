import { pack } from "../../../lib/kinds/resource.js";
import { Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import type { FleetStep } from "../../../tui/kit/fleet/fleet-step.js";
import type { Model } from "../../../tui/kit/model.js";
import { type AnyResource, type FleetShape, fakeFleet } from "../../fakes/fleet-data.js";

/** A watch step with a resource. */
export function upsert(resource: AnyResource): FleetStep {
  return { $case: "upsert", value: pack(resource) };
}

/** A watch step with an instance in a state. */
export function upsertInstance(
  host: string,
  id: string,
  state: InstanceState = InstanceState.INSTANCE_STATE_RUNNING,
  startTime = new Date(0),
): FleetStep {
  return upsertWhole({ name: `hosts/${host}/instances/${id}`, status: { state, startTime } });
}

/** A watch step with an instance as it is given. */
export function upsertWhole(partial: Parameters<typeof Instance.fromPartial>[0]): FleetStep {
  const value = Instance.fromPartial(partial);
  return upsert({ kind: "instance", value });
}

/** A watch step with a host in a state. */
export function upsertHost(
  id: string,
  state: HostState = HostState.HOST_STATE_READY,
  lastSeenTime = new Date(0),
): FleetStep {
  return upsert({ kind: "host", value: Host.fromPartial({ name: `hosts/${id}`, state, lastSeenTime }) });
}

/** A watch step that says that an instance is gone. */
export function removed(name: string): FleetStep {
  return { $case: "removed", value: { kind: "instance", name } };
}

/** The beginning of a snapshot. */
export const reset: FleetStep = { $case: "reset", value: { reason: "first snapshot" } };
/** The end of a snapshot. */
export const snapshotEnd: FleetStep = { $case: "snapshotEnd", value: {} };

/** Feeds a model with the snapshot of a made-up fleet, as a live connection does. */
export function feedFleet(model: Model, shape: FleetShape): void {
  const { fleet, nowMs } = model;
  fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  fleet.apply(reset, nowMs);
  for (const resource of fakeFleet(shape)) fleet.apply(upsert(resource), nowMs);
  fleet.apply(snapshotEnd, nowMs);
}

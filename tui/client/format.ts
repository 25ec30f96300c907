import { toMs } from "../../lib/duration.js";
import type { Duration } from "../../proto/gen/google/protobuf/duration.js";
import { type HostState, hostStateToJSON } from "../../proto/gen/zor/v1/host.js";
import { type InstanceState, instanceStateToJSON } from "../../proto/gen/zor/v1/instance.js";
import { type LinkPath, type LinkState, linkPathToJSON, linkStateToJSON } from "../../proto/gen/zor/v1/link.js";
import { type OperationState, operationStateToJSON } from "../../proto/gen/zor/v1/operation.js";

/** "READY", "UNREACHABLE" and so on. */
export function hostStateName(state: HostState): string {
  return hostStateToJSON(state).replace("HOST_STATE_", "");
}

/** "RUNNING", "STOPPED" and so on. */
export function instanceStateName(state: InstanceState): string {
  return instanceStateToJSON(state).replace("INSTANCE_STATE_", "");
}

/** "ACTIVE", "DOWN" and so on. */
export function linkStateName(state: LinkState): string {
  return linkStateToJSON(state).replace("LINK_STATE_", "");
}

/** "direct", "relayed", or empty when the link is not connected. */
export function linkPathName(path: LinkPath): string {
  const name = linkPathToJSON(path).replace("LINK_PATH_", "").toLowerCase();
  return name === "unspecified" ? "" : name;
}

/** "RUNNING", "SUCCEEDED" and so on. */
export function operationStateName(state: OperationState): string {
  return operationStateToJSON(state).replace("OPERATION_STATE_", "");
}

/** An age in its largest unit, rounded down: "4s", "12m", "3h", "9d". Negative ages (clock skew) are "0s". */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** The age of a moment, or "-" when there was none. */
export function formatAgeOf(moment: Date | undefined, now: Date): string {
  return moment === undefined ? "-" : formatAge(now.getTime() - moment.getTime());
}

/** A round trip: "85us", "0.42ms", "12.3ms", "1.20s", or "-" when not measured. */
export function formatRtt(rtt: Duration | undefined): string {
  if (rtt === undefined) return "-";
  const milliseconds = toMs(rtt);
  if (milliseconds < 0.1) return `${Math.round(milliseconds * 1000)}us`;
  if (milliseconds < 10) return `${milliseconds.toFixed(2)}ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(1)}ms`;
  return `${(milliseconds / 1000).toFixed(2)}s`;
}

/** Memory given in MiB: "256M", "1.5G", "2T". */
export function formatMib(mib: bigint | number): string {
  const value = Number(mib);
  if (value < 1024) return `${value}M`;
  const inGib = value / 1024;
  return inGib < 1024 ? `${trimmed(inGib)}G` : `${trimmed(inGib / 1024)}T`;
}

/** A count of bytes: "512B", "1.5K", "20.1M", "3.2G". */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes);
  for (const unit of ["B", "K", "M", "G", "T"]) {
    if (value < 1024) return `${unit === "B" ? value : trimmed(value)}${unit}`;
    value /= 1024;
  }
  return `${trimmed(value)}P`;
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}

import { notFound, unavailable } from "../../../lib/errors.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { portChanges } from "./port-columns.js";

/** A port to plug. */
export interface PlugOptions {
  /** Id of the lan. */
  readonly lan: string;
  /** Name of the interface in the switch's namespace. */
  readonly port: string;
  /** Resource name of the endpoint it belongs to. */
  readonly endpoint: string;
  /** What the lan does with its frames; default: it forwards them. */
  readonly settings?: PortSettings | undefined;
}

/** What of a port is not as its settings say, for people; empty: nothing. */
export function changeOf(row: MirroredRow | undefined, settings: PortSettings | undefined): string {
  if (row === undefined) return "it was taken out of its lan at the switch";
  const columns = Object.keys(portChanges(row, settings));
  return columns.length === 0 ? "" : `its settings were changed at the switch (${columns.join(", ")})`;
}

/** Which port it is, for logs. */
export function idsOf({ port, lan, endpoint }: PlugOptions) {
  return { port, lan, endpoint };
}

/** There is no such lan to plug into. */
export function noLan(lan: string): Error {
  return notFound(`lans/${lan}`, "create it first, or list them with: zor get lans");
}

/** Why a port could not be plugged. */
export function plugFailed({ endpoint, lan }: PlugOptions, why: string): Error {
  return unavailable("PLUG_FAILED", endpoint, `${endpoint} could not be plugged into lan ${lan}: ${why}`);
}

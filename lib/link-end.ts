import type { Duration } from "../proto/gen/google/protobuf/duration.js";
import { toMs } from "./duration.js";
import { invalidArgument } from "./errors.js";
import { parseName, quote, type ResourceId } from "./names.js";

/** Where an end of a link is: a lan of a host, or a NIC of an instance there. */
export interface LinkEndPlace {
  readonly host: ResourceId;
  /** Id of the lan, or "instances/{instance}/nics/{nic}". */
  readonly lan: string;
}

/** Parses "hosts/{host}/lans/{lan}" or "hosts/{host}/instances/{instance}/nics/{nic}". @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function parseLinkEnd(field: string, name: string): LinkEndPlace {
  const parsed = parseName(field, name);
  if (parsed.kind === "onHost" && parsed.collection === "lans") return { host: parsed.host, lan: parsed.id };
  if (parsed.kind === "nic") return { host: parsed.host, lan: `instances/${parsed.instance}/nics/${parsed.nic}` };
  const forms = '"hosts/{host}/lans/{lan}" or "hosts/{host}/instances/{instance}/nics/{nic}"';
  throw invalidArgument(field, `${quote(name)} does not have the form ${forms}`);
}

const maxHoldMs = 3_600_000;

/** Checks how long a NIC keeps carrier while the way to the other host is down. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkCarrierHold(field: string, hold: Duration | undefined): void {
  const ms = hold === undefined ? 0 : toMs(hold);
  if (ms < 0 || ms > maxHoldMs) throw invalidArgument(field, "is not between 0 and an hour");
}

/** Whether an end is a NIC. @param lan of a {@link LinkEndPlace}. */
export function isNicEnd(lan: string): boolean {
  return lan.startsWith("instances/");
}

/** Resource name of what an end is plugged into. */
export function linkEndName(host: string, lan: string): string {
  return isNicEnd(lan) ? `hosts/${host}/${lan}` : `hosts/${host}/lans/${lan}`;
}

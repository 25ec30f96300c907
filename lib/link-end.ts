import type { Duration } from "../proto/gen/google/protobuf/duration.js";
import { toMs } from "./duration.js";
import { invalidArgument } from "./errors.js";
import { parseName, quote, type ResourceId } from "./names.js";

/** Where an end of a link is: a lan of a host, or what is plugged into the link itself, without a lan. */
export interface LinkEndPlace {
  readonly host: ResourceId;
  /** Id of the lan, or "instances/{instance}/nics/{nic}", "taps/{tap}" or "phys/{phy}". */
  readonly lan: string;
}

/** Parses the name of a lan, of a NIC of an instance, or of a tap or phy. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function parseLinkEnd(field: string, name: string): LinkEndPlace {
  const parsed = parseName(field, name);
  if (parsed.kind === "nic") return { host: parsed.host, lan: `instances/${parsed.instance}/nics/${parsed.nic}` };
  if (parsed.kind === "onHost" && parsed.collection === "lans") return { host: parsed.host, lan: parsed.id };
  if (parsed.kind === "onHost" && pluggedCollections.has(parsed.collection))
    return { host: parsed.host, lan: `${parsed.collection}/${parsed.id}` };
  const forms =
    '"hosts/{host}/lans/{lan}", "hosts/{host}/instances/{instance}/nics/{nic}", "hosts/{host}/taps/{tap}" or "hosts/{host}/phys/{phy}"';
  throw invalidArgument(field, `${quote(name)} does not have the form ${forms}`);
}

/** What is plugged into one thing as a whole, as a NIC is. */
const pluggedCollections: ReadonlySet<string> = new Set(["taps", "phys"]);

const maxHoldMs = 3_600_000;

/** Checks how long a NIC keeps carrier while the way to the other host is down. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function checkCarrierHold(field: string, hold: Duration | undefined): void {
  const ms = hold === undefined ? 0 : toMs(hold);
  if (ms < 0 || ms > maxHoldMs) throw invalidArgument(field, "is not between 0 and an hour");
}

/** Whether an end is plugged into the link itself: a NIC, a tap or an interface of the host. @param lan of a {@link LinkEndPlace}. */
export function isPluggedEnd(lan: string): boolean {
  return lan.includes("/");
}

/** Resource name of what an end is plugged into. */
export function linkEndName(host: string, lan: string): string {
  return isPluggedEnd(lan) ? `hosts/${host}/${lan}` : `hosts/${host}/lans/${lan}`;
}

import { agreeing, counted, listed } from "../../lib/words.js";
import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { shortName } from "./resource-name.js";
import { nicsOf } from "../kinds/instance/columns.js";
import type { Fleet } from "./fleet/fleet.js";
import type { Verb } from "./fleet/pending.js";
import { hostOf, type Row, type RowOf } from "./row.js";
import { a2bStyle, hostStyle, instanceStyle, linkStyle } from "./states.js";
import { isUp } from "./fleet/summary.js";

/** One thing that would change, and what that takes along. */
export interface ImpactLine {
  readonly row: Row;
  /** "alpha/vm1" */
  readonly subject: string;
  readonly effect: string;
}

/** What an action would do, before it is done. */
export interface Impact {
  readonly verb: Verb;
  readonly changes: readonly ImpactLine[];
  /** What was chosen but cannot be done, with the reason. */
  readonly skipped: readonly ImpactLine[];
  /** Other things that suffer: links that lose an end, guests that lose their link. */
  readonly collateral: readonly string[];
}

/** Works out what an action on these rows would change: the blast radius. */
export function planImpact(fleet: Fleet, verb: Verb, rows: readonly Row[]): Impact {
  const changes: ImpactLine[] = [];
  const skipped: ImpactLine[] = [];
  for (const row of rows) {
    const subject = shortName(row.name);
    const refusal = whyNot(fleet, verb, row);
    if (refusal === undefined) changes.push({ row, subject, effect: effectOf(fleet, verb, row) });
    else skipped.push({ row, subject, effect: refusal });
  }
  const collateral = [...new Set(changes.flatMap((change) => collateralOf(fleet, verb, change.row)))];
  return { verb, changes, skipped, collateral };
}

/** What has to be typed to go ahead: nothing, "y", the host's id, or the number of things that would be deleted. */
export function confirmationOf(impact: Impact): string | undefined {
  const { verb, changes } = impact;
  const many = changes.length > 1;
  if (verb === "delete" && many) return `${changes.length}`;
  const [first] = changes;
  if (verb === "delete" && first?.row.kind === "hosts") return first.row.id;
  return many || verb === "delete" || verb === "stop" || verb === "reset" ? "y" : undefined;
}

/** "stop 3 instances" */
export function impactTitle(impact: Impact): string {
  const { verb, changes } = impact;
  const [first] = changes;
  if (first === undefined) return `nothing to ${verb}`;
  const kind = first.row.kind;
  return changes.length === 1 ? `${verb} ${kind.slice(0, -1)} ${first.subject}` : `${verb} ${changes.length} ${kind}`;
}

function whyNot(fleet: Fleet, verb: Verb, row: Row): string | undefined {
  const pending = fleet.pending.get(row.name);
  if (pending !== undefined) return `still waiting for ${pending.verb}`;
  if (row.kind === "links" || row.kind === "hosts") return undefined;
  if (!fleet.isReachable(row.host)) return `host ${row.host} does not answer; try again when it is back`;
  if (row.kind === "lans") return plugged(row);
  if (row.kind !== "instances" || verb === "delete") return undefined;
  const state = row.resource.status?.state ?? InstanceState.INSTANCE_STATE_UNSPECIFIED;
  const running = state === InstanceState.INSTANCE_STATE_RUNNING;
  const paused = state === InstanceState.INSTANCE_STATE_PAUSED;
  const possible = { start: !isUp(state), stop: isUp(state), pause: running, resume: paused, reset: running || paused };
  return possible[verb] ? undefined : `is ${instanceStyle(state).word}`;
}

/** The agent refuses to delete a lan with anything plugged in; better said before than after. */
function plugged(row: RowOf<"lans">): string | undefined {
  const endpoints = (row.resource.status?.ports ?? []).map((port) => shortName(port.endpoint));
  if (endpoints.length === 0) return undefined;
  const it = agreeing(
    endpoints.length,
    "detach it or delete its link first",
    "detach them or delete their links first",
  );
  return `${endpoints.length} plugged in (${few(endpoints)}); ${it}`;
}

function effectOf(fleet: Fleet, verb: Verb, row: Row): string {
  if (row.kind === "instances") {
    const state = instanceStyle(row.resource.status?.state ?? 0).word;
    const lans = nicsOf(row).filter((nic) => nic.lan !== "");
    const unplugged = lans.length === 0 ? "" : `; ${few(lans.map((nic) => `${nic.name} leaves ${nic.lan}`))}`;
    if (verb === "delete") return `${state}; its disks go with it${unplugged}`;
    return verb === "stop" || verb === "reset" ? `${state}; what runs inside gets no warning` : state;
  }
  if (row.kind === "links") {
    const { spec, status } = row.resource;
    return `${linkStyle(status?.state ?? 0).word}; ${shortName(spec?.a ?? "")} and ${shortName(spec?.b ?? "")} part`;
  }
  if (row.kind === "a2bs") {
    const { spec, status } = row.resource;
    return `${a2bStyle(status?.state ?? 0).word}; ${spec?.lanA ?? ""} and ${spec?.lanB ?? ""} of ${row.host} part`;
  }
  if (row.kind === "hosts") {
    const instances = fleet.tables.instances.namesOn(row.id).size;
    const lans = fleet.tables.lans.namesOn(row.id).size;
    return `${hostStyle(row.resource.state).word}; forgotten with ${counted(instances, "instance")} and ${counted(lans, "lan")}, which keep running`;
  }
  return "nothing is plugged in";
}

function collateralOf(fleet: Fleet, verb: Verb, row: Row): readonly string[] {
  if (verb !== "delete" || row.kind !== "hosts") return [];
  const losing: string[] = [];
  for (const link of fleet.tables.links.rows()) {
    if (link.kind !== "links") continue;
    const { spec, status } = link.resource;
    if (hostOf(spec?.a ?? "") !== row.id && hostOf(spec?.b ?? "") !== row.id) continue;
    losing.push(`link ${link.id} (${linkStyle(status?.state ?? 0).word}) loses its end on ${row.id} and is deleted`);
  }
  return losing;
}

function few(texts: readonly string[]): string {
  return listed(texts, 3);
}

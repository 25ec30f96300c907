import type { Event } from "../../proto/gen/zor/v1/event.js";
import type { EventQuery } from "../../proto/gen/zor/v1/event_service.js";
import { invalidArgument, ZorError } from "../errors.js";
import { findKind } from "../kinds/kinds.js";
import { parseFilter, type ResourceFilter } from "../list/filter.js";
import { isId, parseName, quote } from "../names.js";

/** A query that was checked. */
export interface CheckedEvents {
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly matches: (event: Event) => boolean;
}

const mostWords = 64;
const mostHosts = 256;

/** @throws {ZorError} INVALID_ARGUMENT that names the field. @param field where it stands in the request. */
export function checkEventQuery(query: Partial<EventQuery> = {}, field = "query"): CheckedEvents {
  const { kinds = [], callers = [], hosts = [], resource = "", severity = 0, filter = "" } = query;
  const [sinceMs, untilMs] = [timeOf(query.since, `${field}.since`), timeOf(query.until, `${field}.until`)];
  if (kinds.length > mostWords) throw invalidArgument(`${field}.kinds`, `are more than ${mostWords}`);
  if (callers.length > mostWords) throw invalidArgument(`${field}.callers`, `are more than ${mostWords}`);
  if (hosts.length > mostHosts) throw invalidArgument(`${field}.hosts`, `are more than ${mostHosts}`);
  const bad = hosts.find((host) => !isId(host));
  if (bad !== undefined) throw invalidArgument(`${field}.hosts`, `${quote(bad)} is no id of a host`);
  const odd = kinds.find((kind) => !/^[a-z][a-z0-9-]{0,31}$/.test(kind));
  if (odd !== undefined)
    throw invalidArgument(`${field}.kinds`, `${quote(odd)} is no kind of events, such as instance`);
  const nobody = callers.find((caller) => !/^[^\p{Cc}\u2028\u2029]{1,300}$/u.test(caller));
  if (nobody !== undefined) throw invalidArgument(`${field}.callers`, `${quote(nobody)} is no identity of a caller`);
  if (resource !== "") parseName(`${field}.resource`, resource);
  if (severity < 0 || severity > 3) throw invalidArgument(`${field}.severity`, "is none");
  // What hooks say stands in the settings of the program itself; the queries of calls are anybody's.
  const filtered = readFilter(filter, `${field}.filter`, field === "query");
  const wantedKinds = new Set(kinds.map((kind) => findKind(kind)?.singular ?? kind));
  const tests: ((event: Event) => boolean)[] = [];
  if (sinceMs !== undefined) tests.push(({ time }) => (time?.getTime() ?? 0) >= sinceMs);
  if (untilMs !== undefined) tests.push(({ time }) => (time?.getTime() ?? 0) < untilMs);
  if (severity > 0) tests.push((event) => event.severity >= severity);
  if (wantedKinds.size > 0) tests.push(({ type }) => wantedKinds.has(type.slice(0, type.indexOf("."))));
  if (callers.length > 0) {
    tests.push(({ caller }) => callers.some((wanted) => caller === wanted || caller.endsWith(`/${wanted}`)));
  }
  if (hosts.length > 0) {
    const within = (text: string): boolean => hosts.some((host) => isBelow(text, `hosts/${host}`));
    tests.push(({ name, resource: about }) => within(name) || within(about));
  }
  if (resource !== "") tests.push((event) => isBelow(event.resource, resource));
  if (filter.trim() !== "") tests.push((event) => filtered.matches(event));
  return { sinceMs, untilMs, matches: (event) => tests.every((test) => test(event)) };
}

function readFilter(filter: string, field: string, isGuarded: boolean): ResourceFilter {
  try {
    return parseFilter(filter, "zor.v1.Event", undefined, isGuarded);
  } catch (error) {
    const [violation] = error instanceof ZorError ? error.violations : [];
    // Lists have it in a field of their own.
    throw violation === undefined ? error : invalidArgument(field, violation.description);
  }
}

function isBelow(name: string, parent: string): boolean {
  return name === parent || name.startsWith(`${parent}/`);
}

function timeOf(time: Date | undefined, field: string): number | undefined {
  const ms = time?.getTime();
  if (Number.isNaN(ms)) throw invalidArgument(field, "is no time");
  return ms;
}

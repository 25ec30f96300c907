import { FilterAction, FilterDirection, type FilterRule } from "../../../proto/gen/zor/v1/acl.js";
import { FilterCount, LanFilter, LanFilterPart, LanFilterRow } from "../../../proto/gen/zor/v1/lan_filter.js";
import { GetLanFiltersResponse } from "../../../proto/gen/zor/v1/lan_service.js";
import type { CountedFlows } from "../flows/flow-keeper.js";
import { cookieOf } from "../flows/flow-set.js";
import type { FlowCount } from "../flows/flow-tool.js";
import { flowTables, glueCookie, glueFlows, partRanges } from "../flows/pipeline.js";
import {
  compileFilters,
  type FilteredNic,
  type FlowRole,
  type LanFilters,
  numbersOf,
  type OwnedFlow,
} from "./compile-filter.js";
import { coveredRules } from "./covered-rules.js";

const { FILTER_DIRECTION_IN: into, FILTER_DIRECTION_OUT: out } = FilterDirection;
const { FILTER_ACTION_ALLOW: allow, FILTER_ACTION_DROP: drop } = FilterAction;

/** A flow, and what it has met; undefined: the switch does not have it now. */
interface Counted extends OwnedFlow {
  readonly count: FlowCount | undefined;
}

/** What each part of the filters of a lan has met; pure. Nothing when there are none. */
export function countFilters(
  filters: LanFilters | undefined,
  counted: CountedFlows | undefined,
): GetLanFiltersResponse {
  if (filters === undefined || counted === undefined) return GetLanFiltersResponse.create({});
  const { ports, counts } = counted;
  const flows = compileFilters(filters, numbersOf(ports)).map((flow) => ({
    ...flow,
    count: counts.get(cookieOf(partRanges.acl.cookie, flow.flow)),
  }));
  const begun = flows.filter(({ owners }) => owners.some(({ role }) => role === "begun")).map(({ count }) => count);
  const passed = (table: number): FlowCount | undefined => {
    const flow = glueFlows(undefined).find((each) => each.startsWith(`table=${table},priority=0,`)) ?? "";
    return counts.get(cookieOf(glueCookie, flow));
  };
  return {
    filters: filters.nics.map((nic) => ({
      ...countNic(nic, flows, filters),
      port: ports.find(({ endpoint }) => endpoint === nic.endpoint)?.port ?? "",
    })),
    unfilteredFrom: sumOf([passed(flowTables.fromNics)]),
    unfilteredTo: sumOf([passed(flowTables.toNics), ...begun]),
  };
}

function countNic(nic: FilteredNic, flows: readonly Counted[], { addressesOf }: LanFilters): LanFilter {
  const { endpoint, filter } = nic;
  const { rules } = filter;
  const covered = coveredRules(rules, addressesOf);
  const row = (part: Part, direction: FilterDirection, rule?: number): LanFilterRow => {
    const said = rule === undefined ? undefined : rules[rule];
    const own = flows.filter(({ owners }) =>
      owners.some(
        (owner) =>
          owner.endpoint === endpoint &&
          owner.role === part.role &&
          owner.direction === direction &&
          owner.rule === rule,
      ),
    );
    return LanFilterRow.create({
      part: part.part,
      direction,
      action: said?.action ?? part.action,
      ruleNumber: rule === undefined ? 0 : rule + 1,
      rule: said,
      flows: own.length,
      missingFlows: own.filter(({ count }) => count === undefined).length,
      count: sumOf(own.map(({ count }) => count)),
      coveredBy: (rule === undefined ? [] : (covered[rule] ?? [])).map((index) => index + 1),
    });
  };
  const rulesOf = (direction: FilterDirection) =>
    [...rules.entries()].flatMap(([index, rule]: [number, FilterRule]) =>
      rule.direction === direction ? [row(parts.rule, direction, index)] : [],
    );
  const [defaultIn, defaultOut] = [plain(filter.defaultIn), plain(filter.defaultOut)];
  const rowsOf = (direction: FilterDirection, action: FilterAction) => [
    ...[parts.always, parts.invalid, parts.known].map((part) => row(part, direction)),
    ...rulesOf(direction),
    row({ ...parts.byDefault, action }, direction),
  ];
  // Of an interface without known addresses there is none.
  const many = [row(parts.oneInMany, into)].filter((each) => each.flows > 0);
  const rows = [...rowsOf(into, defaultIn), ...many, ...rowsOf(out, defaultOut)];
  const dropped = rows.filter(({ part, action }) => action === drop && part !== LanFilterPart.LAN_FILTER_PART_RULE);
  const held = dropped.filter((each) => each.flows > each.missingFlows);
  return LanFilter.create({
    endpoint,
    defaultIn,
    defaultOut,
    rows,
    dropped: sumOf(held.map(({ count }) => count)),
    sharedWith: othersOf(endpoint, flows),
  });
}

interface Part {
  readonly part: LanFilterPart;
  readonly role: FlowRole;
  readonly action: FilterAction;
}

const parts = {
  always: { part: LanFilterPart.LAN_FILTER_PART_ALWAYS, role: "always", action: allow },
  invalid: { part: LanFilterPart.LAN_FILTER_PART_INVALID, role: "invalid", action: drop },
  known: { part: LanFilterPart.LAN_FILTER_PART_KNOWN, role: "known", action: allow },
  rule: { part: LanFilterPart.LAN_FILTER_PART_RULE, role: "rule", action: drop },
  byDefault: { part: LanFilterPart.LAN_FILTER_PART_DEFAULT, role: "default", action: allow },
  oneInMany: { part: LanFilterPart.LAN_FILTER_PART_ONE_IN_MANY, role: "oneInMany", action: drop },
} satisfies Readonly<Record<string, Part>>;

/** Whose filter holds first for what is sent to an interface; empty: its own. */
function othersOf(endpoint: string, flows: readonly Counted[]): string {
  const shared = flows.find(
    ({ owners: [first, ...others] }) =>
      first !== undefined && first.role === "known" && others.some((other) => other.endpoint === endpoint),
  );
  return shared?.owners[0]?.endpoint ?? "";
}

/** Of flows that are there: all that they have met, since the last of them was made. */
function sumOf(counts: readonly (FlowCount | FilterCount | undefined)[]): FilterCount {
  const there = counts.filter((count) => count !== undefined);
  const ages = there.map(({ ageSeconds }) => ageSeconds);
  return FilterCount.create({
    frames: there.reduce((sum, { frames }) => sum + frames, 0n),
    bytes: there.reduce((sum, { bytes }) => sum + bytes, 0n),
    ageSeconds: ages.reduce((least, age) => (age < least ? age : least), ages[0] ?? 0n),
  });
}

/** What a default does: nothing said allows. */
function plain(action: FilterAction): FilterAction {
  return action === drop ? drop : allow;
}

import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { filterRuleText } from "../../../lib/filter-rule.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId, quote } from "../../../lib/names.js";
import { FilterAction, FilterDirection } from "../../../proto/gen/zor/v1/acl.js";
import type { FilterCount, LanFilter, LanFilterRow } from "../../../proto/gen/zor/v1/lan_filter.js";
import { LanFilterPart } from "../../../proto/gen/zor/v1/lan_filter.js";
import { type GetLanFiltersResponse, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { formatAge } from "../../kit/format.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { asList, NicOption, type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";
import { responseJson } from "../output/proto-json.js";
import type { Column } from "../output/table.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";

interface Options extends ListForm {
  readonly port?: string;
}

/** A line of the table. */
interface Line {
  readonly port: string;
  readonly number: string;
  readonly rule: string;
  /** Undefined: it is not counted. */
  readonly count: FilterCount | undefined;
  readonly note: string;
}

const columns: readonly Column<Line>[] = [
  { title: "PORT", rank: 0, value: ({ port }) => port },
  { title: "#", rank: 0, align: "right", value: ({ number }) => number },
  { title: "RULE", rank: 0, value: ({ rule }) => rule },
  { title: "FRAMES", rank: 0, align: "right", value: ({ count }) => (count === undefined ? "-" : `${count.frames}`) },
  { title: "BYTES", rank: 2, align: "right", value: ({ count }) => (count === undefined ? "-" : `${count.bytes}`) },
  {
    title: "SINCE",
    rank: 1,
    align: "right",
    value: ({ count }) => (count === undefined ? "-" : formatAge(Number(count.ageSeconds) * 1000)),
  },
  { title: "NOTE", rank: 0, value: ({ note }) => note },
];

/** `zor lan filters`. */
export function defineFilters(lan: Command, open: Registrar["open"]): void {
  const command = lan
    .command("filters")
    .description("Show the filters of the interfaces in a lan, with what each of their rules has met.")
    .addArgument(new ResourceArgument("<lan>", "the lan", "lan"))
    .addOption(new NicOption("--port <nic>", "only of this interface, such as vm1/eth0"))
    .action(async (text: string, { port, ...form }: Options) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("lan"), text);
      const endpoint = port === undefined ? "" : await endpointOf(session, port, name);
      const method = LanServiceService.getLanFilters;
      const response = await session.call(method, { name, endpoint });
      await printList(session, form, {
        columns,
        rows: response.filters.length > 0 ? linesOf(response) : [],
        nameOf: ({ rule }) => rule,
        // Lines are made of several of its messages: it stays as it is.
        json: () => responseJson(method, response),
        none: noFilters(name, endpoint),
      });
    });
  asList(command);
  withNotes(
    command,
    `The rules of an interface are asked in the order of their numbers; a rule counts what begins a
connection, and "in known" and "out known" all that belongs to one. "always" is ARP, neighbour
discovery and DHCP, "invalid" what belongs to no connection and begins none, "to many" IP for the
interface alone in a frame to many, "dropped by no rule" the sum of all but rules that drop.

SINCE is for how long a line has counted: it begins again when its rule, or the group that the rule
names, changes, and when the switch is started again.`,
  );
  withExamples(
    command,
    "zor lan filters alpha/lan1",
    "zor lan filters alpha/lan1 --port web/eth0",
    "zor lan filters alpha/lan1 -o json | jq '.filters[].dropped'",
  );
}

/** An interface as it was written: "vm1/eth0" on the host of the lan, "alpha/vm1/eth0" or its full name. */
async function endpointOf(session: Session, text: string, lan: string): Promise<string> {
  const [, instance = "", nic = ""] = /^(.+?)(?:\/nics)?\/([^/]+)$/.exec(text) ?? [];
  const form = `${quote(text)} is not an interface such as vm1/eth0`;
  if (nic === "" || text.split("/").filter((part) => part !== "").length < 2) throw invalidArgument("--port", form);
  const name = await resolveName(session, kindNamed("instance"), instance, hostOf(lan));
  if (hostOf(name) === hostOf(lan)) return `${name}/nics/${parseId("--port", nic)}`;
  throw invalidArgument("--port", `${shortName(name)} and ${shortName(lan)} are on different hosts`);
}

function noFilters(lan: string, endpoint: string): string {
  if (endpoint === "") {
    return `no interface in ${shortName(lan)} has a filter: give one to it with: zor set instance NAME --filter-rule RULE`;
  }
  const [instance = "", nic = ""] = endpoint.split("/nics/");
  const remedy = `zor set instance ${shortName(instance)} --filter-rule '${nic}: RULE'`;
  return `${shortName(instance)} ${nic} has no filter, everything passes: give one to it with: ${remedy}`;
}

function linesOf({ filters, unfilteredFrom, unfilteredTo }: GetLanFiltersResponse): readonly Line[] {
  const rest = { port: "-", number: "-" };
  return [
    ...filters.flatMap(linesOfFilter),
    { ...rest, rule: "from ports without a filter", count: unfilteredFrom, note: "" },
    { ...rest, rule: "to ports without a filter, and to many", count: unfilteredTo, note: "" },
  ];
}

function linesOfFilter(filter: LanFilter): readonly Line[] {
  const [instance = "", nic = ""] = filter.endpoint.split("/nics/");
  const port = `${shortName(instance)}/${nic}`.replace(/^[^/]*\//, "");
  return [
    ...filter.rows.map((row) => ({
      port,
      number: row.ruleNumber === 0 ? "-" : `${row.ruleNumber}`,
      rule: ruleText(row),
      count: row.flows > row.missingFlows ? row.count : undefined,
      note: noteOf(row, filter),
    })),
    { port, number: "-", rule: "dropped by no rule", count: filter.dropped, note: sharedNote(filter) },
  ];
}

const words: Readonly<Record<number, string>> = {
  [LanFilterPart.LAN_FILTER_PART_ALWAYS]: "always",
  [LanFilterPart.LAN_FILTER_PART_INVALID]: "invalid",
  [LanFilterPart.LAN_FILTER_PART_KNOWN]: "known",
  [LanFilterPart.LAN_FILTER_PART_DEFAULT]: "default",
  [LanFilterPart.LAN_FILTER_PART_ONE_IN_MANY]: "to many",
};

function ruleText({ part, direction, action, rule }: LanFilterRow): string {
  if (rule !== undefined) return filterRuleText(rule);
  const way = direction === FilterDirection.FILTER_DIRECTION_IN ? "in" : "out";
  return `${way} ${words[part] ?? "-"} ${action === FilterAction.FILTER_ACTION_DROP ? "drop" : "allow"}`;
}

/** What is peculiar about a line; empty: nothing. */
function noteOf({ rule, flows, missingFlows, coveredBy }: LanFilterRow, { port }: LanFilter): string {
  if (missingFlows > 0) return `the switch does not have ${missingFlows} of its ${flows} flows now`;
  if (coveredBy.length > 0) return `never asked: covered by ${coveredBy.join(", ")}`;
  if (flows > 0) return "";
  if (rule === undefined || rule.remoteInstances === "") return port === "" ? "not plugged in now" : "matches nothing";
  return port === "" ? "not plugged in now" : "nobody belongs to its group now";
}

function sharedNote({ sharedWith }: LanFilter): string {
  return sharedWith === "" ? "" : `the same MAC address as ${shortName(sharedWith)}: counts are of both`;
}

import type { Command } from "commander";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import { type LanFlow, LanFlowOwner, type LanMac } from "../../../proto/gen/zor/v1/lan_flow.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { updateResource } from "../change.js";
import { asList, dryRunOption, type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { defineKindList } from "../noun-list.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";
import { responseJson } from "../output/proto-json.js";
import type { Column } from "../output/table.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";
import { defineFilters } from "./lan-filters.js";

interface Options {
  readonly output: OutputFormat;
  readonly dryRun?: boolean;
}
type Open = Registrar["open"];

const owners: Readonly<Record<number, string>> = {
  [LanFlowOwner.LAN_FLOW_OWNER_SPEC]: "spec",
  [LanFlowOwner.LAN_FLOW_OWNER_AGENT]: "agent",
  [LanFlowOwner.LAN_FLOW_OWNER_OTHER]: "-",
};

const flowColumns: readonly Column<LanFlow>[] = [
  { title: "TABLE", rank: 0, align: "right", value: ({ table, waiting }) => (waiting ? "-" : `${table}`) },
  { title: "PRIORITY", rank: 1, align: "right", value: ({ priority, waiting }) => (waiting ? "-" : `${priority}`) },
  { title: "OF", rank: 0, value: ({ owner, waiting }) => (waiting ? "waits" : (owners[owner] ?? "-")) },
  { title: "FRAMES", rank: 2, align: "right", value: ({ frames }) => `${frames}` },
  { title: "BYTES", rank: 3, align: "right", value: ({ bytes }) => `${bytes}` },
  { title: "FLOW", rank: 0, value: flowText },
];

const macColumns: readonly Column<LanMac>[] = [
  { title: "MAC", rank: 0, value: ({ mac }) => mac },
  { title: "VLAN", rank: 1, align: "right", value: ({ vlan }) => `${vlan}` },
  { title: "ENDPOINT", rank: 0, value: ({ endpoint }) => shortName(endpoint) },
  { title: "AGE", rank: 2, align: "right", value: ({ ageSeconds }) => `${ageSeconds}s` },
];

/** `zor lan list|flows|macs|filters`. */
export function define({ program, open }: Registrar): void {
  const lan = program
    .command("lan")
    .description("Look into the switch of a lan: its flows, its filters and the addresses it has learned.")
    .helpCommand(false);
  defineKindList(lan, open, "name = lab");
  defineFlows(lan, open);
  defineMacs(lan, open);
  defineFilters(lan, open);
}

function defineFlows(lan: Command, open: Open): void {
  const flows = lan
    .command("flows")
    .description("Show the flows that a lan's switch has now, with their counters, or change those of the lan itself.")
    .helpCommand(false)
    .addArgument(new ResourceArgument("<lan>", "the lan", "lan"))
    .action(async (text: string, form: ListForm) => {
      const session = open(flows);
      const name = await resolveName(session, kindNamed("lan"), text);
      const method = LanServiceService.getLanFlows;
      const response = await session.call(method, { name });
      await printList(session, form, {
        columns: flowColumns,
        rows: response.flows,
        nameOf: flowText,
        json: (rows) => responseJson(method, { ...response, flows: [...rows] }),
        none: `${idOf(name)} has no flows`,
      });
    });
  asList(flows);
  withNotes(
    flows,
    `OF says whose a flow is: of the lan's specification, of the agent for what ports
and access lists say, or of nobody the agent knows. One that waits names an
endpoint that is not plugged in.`,
  );
  withExamples(
    flows,
    "zor lan flows alpha/lan1",
    "zor lan flows alpha/lan1 -o json | jq '.flows[] | select(.spec != null)'",
    `zor lan flows add alpha/lan1 "in_port=vm1/eth0,icmp,actions=drop"`,
  );
  defineChange(flows, open, {
    verb: "add",
    does: "Add flows to a lan's own.",
    change: (before, asked) => [...before, ...asked.filter((flow) => !before.includes(flow))],
  });
  defineChange(flows, open, {
    verb: "delete",
    does: "Take flows of a lan's own away, as they are written in its specification.",
    change: (before, asked, name) => {
      const stranger = asked.find((flow) => !before.includes(flow));
      if (stranger !== undefined) {
        throw notFound(`${name}: flow ${quote(stranger)}`, `see them with: zor lan flows ${shortName(name)}`);
      }
      return before.filter((flow) => !asked.includes(flow));
    },
  });
}

interface FlowsChange {
  readonly verb: string;
  readonly does: string;
  readonly change: (before: readonly string[], asked: readonly string[], name: string) => readonly string[];
}

function defineChange(flows: Command, open: Open, { verb, does, change }: FlowsChange): void {
  const command = flows
    .command(verb)
    .description(does)
    .addArgument(new ResourceArgument("<lan>", "the lan", "lan"))
    .argument("<flow...>", "in the syntax of ovs-ofctl, with endpoints as ports")
    .addOption(dryRunOption("only check whether it could be done"))
    .action(async (text: string, asked: readonly string[], { dryRun = false }: Options) => {
      const session = open(command);
      // The group has the option, and takes it wherever it stands.
      const { output } = flows.opts<Options>();
      const name = await resolveName(session, kindNamed("lan"), text);
      const { lan } = await session.call(LanServiceService.getLan, { name });
      if (lan?.spec === undefined) throw invalidArgument("lan", `${name} has no specification`);
      const spec = { ...lan.spec, flows: [...change(lan.spec.flows, asked, name)] };
      const call = { name, change: { resource: { spec }, paths: ["spec.flows"] }, etag: lan.etag, dryRun };
      const { method, response } = await updateResource(session, kindNamed("lan"), call);
      const count = `${shortName(name)} has ${spec.flows.length} flows${dryRun ? " (dry run)" : ""}`;
      await session.printResponse(output, method, response, () => count);
    });
  withExamples(command, `zor lan flows ${verb} alpha/lan1 "in_port=vm1/eth0,icmp,actions=drop"`);
}

function defineMacs(lan: Command, open: Open): void {
  const command = lan
    .command("macs")
    .description("Show the addresses that a lan's switch has learned, where they are, and how long they were silent.")
    .addArgument(new ResourceArgument("<lan>", "the lan", "lan"))
    .action(async (text: string, form: ListForm) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("lan"), text);
      const method = LanServiceService.getLanMacs;
      const response = await session.call(method, { name });
      await printList(session, form, {
        columns: macColumns,
        rows: response.macs,
        nameOf: ({ mac }) => mac,
        json: (rows) => responseJson(method, { ...response, macs: [...rows] }),
        none: `${idOf(name)} has learned no addresses`,
      });
    });
  asList(command);
  withExamples(command, "zor lan macs alpha/lan1", "zor lan macs alpha/lan1 -o json");
}

function flowText({ match, actions, spec }: LanFlow): string {
  return spec === "" ? [match, `actions=${actions}`].filter((text) => text !== "").join(",") : spec;
}

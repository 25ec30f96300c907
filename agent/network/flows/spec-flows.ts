import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { FlowBuild, FlowPort } from "./flow-set.js";
import { flowTables } from "./pipeline.js";

/** A flow of a lan's specification, taken apart. */
export interface SpecFlow {
  /** As it was written. */
  readonly text: string;
  /** The endpoints it names. */
  readonly names: readonly string[];
  /** In the syntax of ovs-ofctl, with the ports by their numbers. */
  readonly write: (numberOf: (name: string) => number) => string;
}

const maxFlows = 256;
const maxLength = 512;
const lastTable = flowTables.lan + 9;
const example = `"priority=10,in_port=vm1/eth0,icmp,actions=drop"`;

/** What belongs to the flow and not to the frame, and is the agent's to say, or no flow's that is kept. */
const notFields = new Set([
  ...[
    "cookie",
    "idle_timeout",
    "hard_timeout",
    "importance",
    "duration",
    "n_packets",
    "n_bytes",
    "idle_age",
    "hard_age",
  ],
  ...["send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts", "no_byte_counts", "out_port", "out_group"],
]);
/** Actions that stay in the lan. Those that name ports or tables are looked at by themselves. */
const plainActions = new Set([
  ...["drop", "normal", "flood", "all", "in_port", "exit", "conjunction"],
  ...["mod_vlan_vid", "mod_vlan_pcp", "strip_vlan", "push_vlan", "pop_vlan", "push_mpls", "pop_mpls", "set_mpls_label"],
  ...["set_mpls_tc", "set_mpls_ttl", "dec_mpls_ttl", "dec_ttl", "set_field", "load", "move", "push", "pop"],
  ...["mod_dl_src", "mod_dl_dst", "mod_nw_src", "mod_nw_dst", "mod_nw_tos", "mod_nw_ecn", "mod_nw_ttl"],
  ...["mod_tp_src", "mod_tp_dst"],
]);

/** What is wrong with the flows of a lan, as far as can be said without the switch; pure. */
export function checkSpecFlows(field: string, flows: readonly string[]): readonly FieldViolation[] {
  if (flows.length > maxFlows) return [{ field, description: `${flows.length} are more than ${maxFlows}` }];
  return flows.flatMap((text, index) => {
    const flow = parseSpecFlow(text);
    return typeof flow === "string" ? [{ field: `${field}[${index}]`, description: flow }] : [];
  });
}

/** Takes a flow apart; a text: what is wrong with it; pure. */
export function parseSpecFlow(text: string): SpecFlow | string {
  if (text.length > maxLength) return `is longer than ${maxLength} characters`;
  if (!/^[\x20-\x7e]+$/.test(text) || text.includes("#")) return `is not a flow such as ${example}`;
  const [, head = "", tail] = /^(.*?)(?:^|[\s,])actions?=(.*)$/.exec(text) ?? [];
  if (tail === undefined) return `${quote(text)} has no actions; write it such as ${example}`;
  const matches = head.split(/[\s,]+/).filter((word) => word !== "");
  const actions = splitActions(tail);
  if (actions === undefined || actions.length === 0) return `${quote(text)} has no actions that can be read`;
  const names: string[] = [];
  const table = tableOf(matches);
  if (typeof table === "string") return table;
  const parts = [
    ...matches.map((word) => readMatch(word, names)),
    ...actions.map((word) => readAction(word, table, names)),
  ];
  const wrong = parts.find((part) => "wrong" in part);
  if (wrong !== undefined && "wrong" in wrong) return wrong.wrong;
  const write = (numberOf: (name: string) => number): string => {
    const words = parts.map((part) =>
      "name" in part ? `${part.before}${numberOf(part.name)}` : "word" in part ? part.word : "",
    );
    const match = words.slice(0, matches.length).filter((word) => word !== "");
    return [`table=${table}`, ...match, `actions=${words.slice(matches.length).join(",")}`].join(",");
  };
  return { text, names, write };
}

/** A word of a flow: as it is, one that ends in a port, or what is wrong with it. */
type Part = { readonly word: string } | { readonly before: string; readonly name: string } | { readonly wrong: string };

function tableOf(matches: readonly string[]): number | string {
  const word = matches.find((each) => /^table=/.test(each));
  if (word === undefined) return flowTables.lan;
  const number = Number(word.slice("table=".length));
  const isOwn = Number.isInteger(number) && number >= flowTables.lan && number <= lastTable;
  return isOwn ? number : `${quote(word)}: flows of a lan are in tables ${flowTables.lan} to ${lastTable}`;
}

function readMatch(word: string, names: string[]): Part {
  const [, key = "", value] = /^([^=]*)(?:=(.*))?$/.exec(word) ?? [];
  if (key === "table") return { word: "" };
  if (notFields.has(key))
    return { wrong: `${quote(key)} is not for a flow of a lan: the agent keeps it; leave it out` };
  if (key.startsWith("ct_")) return { wrong: `${quote(key)}: connections are tracked for the lists of access only` };
  if (key === "priority" && (value === undefined || !/^[1-9]\d{0,4}$/.test(value) || Number(value) > 65_535)) {
    return { wrong: `${quote(word)} is not a priority between 1 and 65535` };
  }
  if (key !== "in_port") return { word };
  return isEndpoint(value) ? named("in_port=", value, names) : { wrong: notAPort(word) };
}

function readAction(word: string, table: number, names: string[]): Part {
  const [, name = "", rest = ""] = /^([A-Za-z_]+)(.*)$/.exec(word) ?? [];
  const action = name.toLowerCase();
  if (action === "output") {
    const port = /^[:=](.*)$/.exec(rest)?.[1];
    return isEndpoint(port) ? named("output:", port, names) : { wrong: notAPort(word) };
  }
  if (action === "goto_table" || action === "resubmit") {
    const to = Number(/^(?:[:=]|\(,)(\d+)\)?$/.exec(rest)?.[1] ?? -1);
    if (to > table && to <= lastTable) return { word };
    return {
      wrong: `${quote(word)}: a flow of table ${table} goes on to a later table up to ${lastTable} only: resubmit(,N) or goto_table:N`,
    };
  }
  if (!plainActions.has(action)) {
    const allowed = "allowed are output, normal, drop, flood and what changes frames";
    return { wrong: `${quote(word)}: a lan's flows may not do that; ${allowed}` };
  }
  if (action === "set_field" && /->\s*(in_port|ct_|tun)/.test(rest))
    return { wrong: `${quote(word)} is not allowed in a lan's flows` };
  if (/NXM_OF_IN_PORT|OXM_OF_IN_PORT|\bin_port\b/i.test(rest))
    return { wrong: `${quote(word)}: the port a frame came from stays` };
  return { word };
}

function named(before: string, name: string, names: string[]): Part {
  names.push(name);
  return { before, name };
}

function notAPort(word: string): string {
  return `${quote(word)} does not name an endpoint of the lan, such as vm1/eth0, link/demo or nat/way`;
}

function isEndpoint(text: string | undefined): text is string {
  return text !== undefined && /^[a-z0-9][a-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text);
}

/** Actions, which are separated by commas outside of parentheses; undefined: those are not closed. */
function splitActions(text: string): readonly string[] | undefined {
  const found: string[] = [];
  let [depth, word] = [0, ""];
  for (const char of text) {
    if (char === "(") depth += 1;
    if (char === ")") depth -= 1;
    if (depth < 0) return undefined;
    if (depth > 0 || !/[\s,]/.test(char)) word += char;
    else {
      found.push(word);
      word = "";
    }
  }
  return depth === 0 ? [...found, word].filter((each) => each !== "") : undefined;
}

/** How people name an endpoint in flows: "vm1/eth0", "link/demo", "nat/way"; pure. */
export function endpointWord(endpoint: string): string {
  const [collection = "", id = "", , part = ""] = endpoint.replace(/^hosts\/[^/]+\//, "").split("/");
  if (collection === "instances") return `${id}/${part}`;
  return `${collection.replace(/s$/, "")}/${id}`;
}

/** The flows of a lan's specification; those that name an endpoint that is not plugged in wait until it is. Pure. */
export function specFlowBuild(texts: readonly string[]): FlowBuild | undefined {
  const flows = texts.map(parseSpecFlow).filter((flow) => typeof flow !== "string");
  if (flows.length === 0) return undefined;
  return (ports) => ({ flows: flows.flatMap((flow) => writeFlow(flow, ports) ?? []) });
}

/** A flow with the ports by their numbers; undefined: it waits for one. */
export function writeFlow({ names, write }: SpecFlow, ports: readonly FlowPort[]): string | undefined {
  const numbers = new Map(ports.map(({ endpoint, number }) => [endpointWord(endpoint), number]));
  return names.every((name) => numbers.has(name)) ? write((name) => numbers.get(name) ?? 0) : undefined;
}

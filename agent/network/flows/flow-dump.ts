import { LanFlow, LanFlowOwner, type LanMac } from "../../../proto/gen/zor/v1/lan_flow.js";
import { endpointWord, parseSpecFlow, writeFlow } from "./spec-flows.js";
import { cookieOf, type FlowPort } from "./flow-set.js";
import { partRanges } from "./pipeline.js";

/** What a bridge has, and what of the specification it waits for; by table and falling priority; pure. */
export function dumpedFlows(dump: string, ports: readonly FlowPort[], texts: readonly string[]): LanFlow[] {
  const known = new Map<string, string>();
  const waiting: LanFlow[] = [];
  for (const text of texts) {
    const flow = parseSpecFlow(text);
    const written = typeof flow === "string" ? undefined : writeFlow(flow, ports);
    if (written !== undefined) known.set(cookieOf(partRanges.lan.cookie, written), text);
    else waiting.push(LanFlow.fromPartial({ owner: LanFlowOwner.LAN_FLOW_OWNER_SPEC, spec: text, waiting: true }));
  }
  const flows = readFlows(dump, { ports, texts: known });
  return [...flows.sort((a, b) => a.table - b.table || b.priority - a.priority), ...waiting];
}

const specCookie = `0x${partRanges.lan.cookie.toString(16)}`;
const ourCookie = "0x5a";

/**
 * Reads "dump-flows": " cookie=0x5a.., duration=1.5s, table=30, n_packets=9, n_bytes=642, priority=5,arp actions=drop"; pure.
 * @param texts flows of the lan's specification as they were written, by their cookies.
 */
function readFlows(
  dump: string,
  { ports, texts }: { readonly ports: readonly FlowPort[]; readonly texts: ReadonlyMap<string, string> },
): LanFlow[] {
  return dump.split("\n").flatMap((line) => {
    const [, head = "", rest = "", actions = ""] = /^ *(cookie=.*?n_bytes=\d+,) (.*?) ?actions=(.*)$/.exec(line) ?? [];
    if (head === "") return [];
    const told = new Map([...head.matchAll(/(\w+)=([^,]*),/g)].map((match) => [match[1], match[2] ?? ""]));
    const cookie = told.get("cookie") ?? "";
    const words = rest.split(/,\s*/).filter((word) => word !== "" && !/^(idle|hard)_(age|timeout)=/.test(word));
    const priority = words.find((word) => word.startsWith("priority="));
    const match = words.filter((word) => word !== priority).join(",");
    return {
      table: Number(told.get("table") ?? 0),
      priority: priority === undefined ? 32_768 : Number(priority.slice("priority=".length)),
      match: withNames(match, ports),
      actions: withNames(actions, ports),
      frames: BigInt(told.get("n_packets") ?? 0),
      bytes: BigInt(told.get("n_bytes") ?? 0),
      ageSeconds: BigInt(Math.floor(Number.parseFloat(told.get("duration") ?? "0"))),
      owner: ownerOf(cookie),
      spec: texts.get(cookie) ?? "",
      waiting: false,
    };
  });
}

function ownerOf(cookie: string): LanFlowOwner {
  if (cookie.startsWith(specCookie) && cookie.length === 18) return LanFlowOwner.LAN_FLOW_OWNER_SPEC;
  const isOurs = cookie.startsWith(ourCookie) && cookie.length === 18;
  return isOurs ? LanFlowOwner.LAN_FLOW_OWNER_AGENT : LanFlowOwner.LAN_FLOW_OWNER_OTHER;
}

/** Ports by the endpoints that are plugged in there. */
function withNames(text: string, ports: readonly FlowPort[]): string {
  return text.replace(/\b(in_port=|output:)(\d+)\b/g, (whole, before: string, number: string) => {
    const port = ports.find((each) => each.number === Number(number));
    return port === undefined ? whole : `${before}${endpointWord(port.endpoint)}`;
  });
}

/** Reads "fdb/show": port, VLAN, MAC and age in columns; what the agent's own test frames have taught is left out; pure. */
export function readMacs(text: string, ports: readonly FlowPort[]): LanMac[] {
  return text.split("\n").flatMap((line) => {
    const [, number, vlan, mac, age] = /^ *(\S+) +(\d+) +([0-9a-f:]{17}) +(\S+)/.exec(line) ?? [];
    const port = ports.find((each) => String(each.number) === number);
    if (port === undefined || mac === undefined) return [];
    return [
      { mac, vlan: Number(vlan), endpoint: port.endpoint, port: port.port, ageSeconds: BigInt(Number(age) || 0) },
    ];
  });
}

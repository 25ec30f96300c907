import { expect, test } from "vitest";
import { compileFilters, type FilteredNic } from "../../../../../agent/network/filters/compile-filter.js";
import { countFilters } from "../../../../../agent/network/filters/count-filters.js";
import type { FlowPort } from "../../../../../agent/network/flows/flow-set.js";
import { wantedFlows } from "../../../../../agent/network/flows/flow-set.js";
import { parseCounts } from "../../../../../agent/network/flows/flow-tool.js";
import { parseFilterLine } from "../../../../../lib/filter-rule.js";
import { FilterDirection, PortFilter } from "../../../../../proto/gen/zor/v1/acl.js";
import { type FilterCount, type LanFilter, LanFilterPart } from "../../../../../proto/gen/zor/v1/lan_filter.js";

const web = "hosts/a/instances/web/nics/eth0";
const twin = "hosts/a/instances/twin/nics/eth0";
const ports: readonly FlowPort[] = [{ port: "p3", endpoint: web, number: 3 }];
const group = "labels.role = none";

function nic(lines: readonly string[], more: Partial<FilteredNic> = {}): FilteredNic {
  const filter = PortFilter.fromPartial({});
  for (const text of lines) {
    const line = parseFilterLine("rule", text);
    if ("rule" in line) filter.rules.push(line.rule);
    else if (line.direction === FilterDirection.FILTER_DIRECTION_IN) filter.defaultIn = line.byDefault;
    else filter.defaultOut = line.byDefault;
  }
  return { endpoint: web, mac: "52:54:00:00:00:01", addresses: [], filter, ...more };
}

/** What a switch with these flows says: each has met as many frames as its place in the list, of 100 bytes, and is as old. */
function count(nics: readonly FilteredNic[], { at = ports, isThere = (_flow: string): boolean => true } = {}) {
  const filters = { nics, zone: 9, addressesOf: () => [] };
  const numberOf = new Map(at.map(({ endpoint, number }) => [endpoint, number]));
  const build = () => ({ flows: compileFilters(filters, numberOf).map(({ flow }) => flow) });
  const { flows } = wantedFlows(new Map([["acl", build]]), { ports: at, testPort: 2 });
  const order = [...flows.values()];
  const dump = [...flows]
    .filter(([, flow]) => isThere(flow))
    .map(([cookie, flow]) => {
      const place = order.indexOf(flow) + 1;
      return ` cookie=${cookie}, duration=${place}.25s, table=0, n_packets=${place}, n_bytes=${place * 100}, ${flow}`;
    });
  const counts = parseCounts(`OFPST_FLOW reply (OF1.4) (xid=0x2):\n${dump.join("\n")}\n`);
  /** What the flows that hold these words have met, together; of a table, those that are in it. */
  const sum = (...words: readonly string[]): FilterCount => {
    const places = order.flatMap((flow, index) =>
      words.some((word) => (word.startsWith("table=") ? flow.startsWith(word) : flow.includes(word)))
        ? [index + 1]
        : [],
    );
    const frames = BigInt(places.reduce((all, each) => all + each, 0));
    return { frames, bytes: frames * 100n, ageSeconds: BigInt(Math.min(...places)) };
  };
  return { ...countFilters(filters, { build, ports: at, counts }), sum };
}

const rule = (filter: LanFilter | undefined, number: number) =>
  filter?.rows.find(({ ruleNumber }) => ruleNumber === number);

test("without filters there is nothing, and nothing is counted", () => {
  expect(countFilters(undefined, undefined)).toEqual({
    filters: [],
    unfilteredFrom: undefined,
    unfilteredTo: undefined,
  });
});

test("rows are in the order in which frames are judged, each direction by itself, and say what they do", () => {
  const lines = ["in default drop", "in allow tcp 22", "out drop udp 53", "in drop icmp"];
  const [filter] = count([nic(lines, { addresses: ["10.0.0.1"] })]).filters;
  const rows = filter?.rows.map(({ part, direction, action, ruleNumber }) =>
    [direction === 1 ? "in" : "out", LanFilterPart[part]?.slice(16), ruleNumber, action === 1 ? "allow" : "drop"].join(
      " ",
    ),
  );
  expect(rows).toEqual([
    "in ALWAYS 0 allow",
    "in INVALID 0 drop",
    "in KNOWN 0 allow",
    "in RULE 1 allow",
    "in RULE 3 drop",
    "in DEFAULT 0 drop",
    "in ONE_IN_MANY 0 drop",
    "out ALWAYS 0 allow",
    "out INVALID 0 drop",
    "out KNOWN 0 allow",
    "out RULE 2 drop",
    "out DEFAULT 0 allow",
  ]);
  expect(filter).toMatchObject({ endpoint: web, port: "p3", defaultIn: 2, defaultOut: 1, sharedWith: "" });
});

test("a rule has what all its flows have met, since the last of them was made", () => {
  const { filters, sum } = count([nic(["in default drop", "in allow tcp 22,80-81", "in allow icmp"])]);
  const [filter] = filters;
  expect(rule(filter, 1)).toMatchObject({ flows: 4, missingFlows: 0, count: sum("priority=50000,") });
  expect(rule(filter, 2)).toMatchObject({ flows: 1, count: sum("priority=49999,") });
});

test("what no rule dropped is what the default, the invalid and the one in many are; tracking counts nothing", () => {
  const { filters, sum } = count([nic(["in default drop", "in drop icmp"], { addresses: ["10.0.0.1"] })]);
  expect(filters[0]?.dropped).toEqual(sum("+trk+inv", "priority=100,dl_dst=52", "priority=60,"));
  const all = filters[0]?.rows.reduce((total, { count: { frames } = { frames: 0n } }) => total + frames, 0n);
  const { frames } = sum("table=10,", "table=20,");
  const others = sum("ct_state=-trk", "priority=50,", "table=10,priority=0,", "table=20,priority=0,").frames;
  expect(all).toBe(frames - others);
});

test("what has to do with no filter is what both tables hand on, and what begins towards others", () => {
  const { unfilteredFrom, unfilteredTo, sum } = count([nic([])]);
  expect(unfilteredFrom).toEqual(sum("table=10,priority=0,"));
  expect(unfilteredTo).toEqual(sum("table=20,priority=0,", "priority=50,"));
});

test("a group of nobody has no flow, and a covered rule says by which", () => {
  const [filter] = count([nic([`in drop tcp from instances ${group}`, "in allow tcp", "in drop tcp 22"])]).filters;
  expect(rule(filter, 1)).toMatchObject({ flows: 0, coveredBy: [], count: { frames: 0n, ageSeconds: 0n } });
  expect(rule(filter, 3)).toMatchObject({ flows: 2, coveredBy: [2] });
});

test("flows that the switch does not have are told, and those that are there are counted", () => {
  const isThere = (flow: string) => !flow.includes("tcp6");
  const { filters, sum } = count([nic(["in drop tcp 22"])], { isThere });
  expect(rule(filters[0], 1)).toMatchObject({ flows: 2, missingFlows: 1, count: sum("tcp,tp_dst=22") });
});

test("an interface that is not plugged in is judged only in what is sent to it", () => {
  const [filter] = count([nic(["in drop tcp 22", "out drop tcp 22"])], { at: [] }).filters;
  expect([filter?.port, rule(filter, 1)?.flows, rule(filter, 2)?.flows]).toEqual(["", 2, 0]);
});

test("of two interfaces with one address the second says whose filter is asked first, and has its counts", () => {
  const lines = ["in drop tcp 22", "in default drop"];
  const [first, second] = count([nic(lines), nic(lines, { endpoint: twin })]).filters;
  expect([first?.sharedWith, second?.sharedWith]).toEqual(["", web]);
  expect(rule(second, 1)?.count).toEqual(rule(first, 1)?.count);
});

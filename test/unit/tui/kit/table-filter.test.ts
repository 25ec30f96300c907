import { describe, expect, it } from "vitest";
import { Instance, InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { TableState } from "../../../../tui/kit/table/table-state.js";
import { makeModel } from "../program.js";
import { feedFleet, removed, upsert, upsertInstance, upsertWhole } from "../steps.js";

const resources = [
  { name: "hosts/alpha/instances/web1", memoryMib: 8192n, state: InstanceState.INSTANCE_STATE_RUNNING, site: "paris" },
  { name: "hosts/alpha/instances/web10", memoryMib: 1024n, state: InstanceState.INSTANCE_STATE_STOPPED, site: "rome" },
  { name: "hosts/beta/instances/db1", memoryMib: 2048n, state: InstanceState.INSTANCE_STATE_RUNNING, site: "rome" },
].map(({ name, memoryMib, state, site }) =>
  Instance.fromPartial({
    ...{ name, labels: { site }, createTime: new Date(0) },
    spec: { memoryMib, nics: [{ name: "eth0", lan: "lan1", mac: "52:54:00:00:00:01", addresses: ["fe80::1"] }] },
    status: { state },
  }),
);

function table(): TableState {
  const fleet = new Fleet(new KindTable(tuiKinds), 0);
  for (const value of resources) fleet.apply(upsertWhole(value), 0);
  return new TableState(fleet, "instance");
}

function shown(of: TableState): string[] {
  const rows = of.rows(3_600_000);
  return Array.from({ length: rows.length }, (_, at) => rows.at(at)?.id ?? "").sort();
}

describe("the filter of a table", () => {
  it.each<[string, string[]]>([
    ["", ["db1", "web1", "web10"]],
    ["web", ["web1", "web10"]],
    ["!web", ["db1"]],
    ["WEB1 !rome", ["web1"]],
    ["~w0", ["web10"]],
    ["name=web1", ["web1", "web10"]],
    ["name==web1", ["web1"]],
    ["host!=beta", ["web1", "web10"]],
    ["site=rome", ["db1", "web10"]],
    ["labels.site=rome", ["db1", "web10"]],
    ["label.site=paris or name=db", ["db1", "web1"]],
    ["fe80::1", ["db1", "web1", "web10"]],
    ["mem>1GiB", ["db1", "web1"]],
    ["spec.memory_mib <= 2048", ["db1", "web10"]],
    ['host~"^al" and not mem>4GiB', ["web10"]],
    ["age>30m", ["db1", "web1", "web10"]],
    ["owner=ana", []],
  ])("%j shows %j", (text, ids) => {
    const of = table();
    of.setFilter(text);
    expect(of.filterFault).toBeUndefined();
    expect(shown(of)).toEqual(ids);
  });

  it.each<[string, RegExp]>([
    ["web1 and (", /^\d+: ends where/],
    ["mem>4Gx", /^5: .*such as 512MiB or 4GiB/],
    ["!cpu>80%", /^2: cpu is measured/],
    ["hosst=alpha", /^1: .*did you mean "host"\?/],
    ['host~"("', /^6: .*not a regular expression/],
  ])("%j leaves the one before, and says why", (text, fault) => {
    const of = table();
    of.setFilter("web");
    of.setFilter(text);
    expect(of.filterFault).toMatch(fault);
    expect(of.filterText).toBe(text);
    expect(shown(of)).toEqual(["web1", "web10"]);
    of.setFilter("db");
    expect(of.filterFault).toBeUndefined();
    expect(shown(of)).toEqual(["db1"]);
  });

  it("sorts by what it says", () => {
    const of = table();
    of.setFilter("lan1 sort by memory desc");
    const rows = of.rows(0);
    expect([rows.at(0)?.id, rows.at(1)?.id, rows.at(2)?.id]).toEqual(["web1", "db1", "web10"]);
    of.setFilter("lan1 sort by nonsense");
    expect(of.filterFault).toMatch(/no column nonsense/);
  });
});

const nowMs = 1_700_000_000_000;

describe("a filter that is typed letter by letter", () => {
  it("shows what a table shows that is opened with it, whatever changes meanwhile", () => {
    const model = makeModel(nowMs);
    feedFleet(model, { hosts: 3, instancesPerHost: 40, nowMs });
    const typed = new TableState(model.fleet, "instance");
    const rowsOf = (table: TableState): string[] => {
      const rows = table.rows(nowMs);
      return Array.from({ length: rows.length }, (_, index) => {
        const row = rows.at(index);
        expect(rows.indexOf(row?.name ?? "")).toBe(index);
        return `${row?.name} ${(row?.resource as Instance | undefined)?.status?.state}`;
      });
    };
    const { INSTANCE_STATE_RUNNING: running, INSTANCE_STATE_STOPPED: stopped } = InstanceState;
    const steps = [
      "",
      "v",
      "vm",
      "vm1",
      "vm1 r",
      "vm1 ru",
      "vm1 run",
      "vm1 ru",
      "vm1",
      "vm12",
      "vm1",
      "vm3",
      "age<1h",
      "!vm1",
      "vm",
      "",
    ];
    for (const [turn, text] of [...steps, ...steps.toReversed(), ...steps].entries()) {
      const host = ["alpha", "beta", "gamma"][turn % 3] ?? "";
      model.fleet.apply(upsertInstance(host, `vm${(turn * 7) % 40}`, turn % 2 === 0 ? running : stopped), nowMs);
      if (turn % 5 === 0) model.fleet.apply(removed(`hosts/${host}/instances/vm${turn % 40}`), nowMs);
      typed.setFilter(text);
      const fresh = new TableState(model.fleet, "instance");
      fresh.setFilter(text);
      expect(rowsOf(typed)).toEqual(rowsOf(fresh));
    }
    expect(rowsOf(typed).length).toBeGreaterThan(50);
  });
});

it("what belongs to links is asked of those that end at a row, as they are now", () => {
  const fleet = new Fleet(new KindTable(tuiKinds), 0);
  for (const value of resources) fleet.apply(upsertWhole(value), 0);
  const link = (rttMs: number): void => {
    const [a, b] = ["hosts/alpha/lans/lan1", "hosts/gamma/lans/lan1"];
    const rtt = { seconds: 0n, nanos: rttMs * 1_000_000 };
    const value = Link.fromPartial({ name: "links/l1", spec: { a, b }, status: { rtt } });
    fleet.apply(upsert({ kind: "link", value }), 0);
  };
  const matched = (): string[] => {
    const of = new TableState(fleet, "instance");
    of.setFilter("link.rtt>20ms");
    return shown(of);
  };
  expect(matched()).toEqual([]);
  link(30);
  expect(matched()).toEqual(["web1", "web10"]);
  link(5);
  expect(matched()).toEqual([]);
});

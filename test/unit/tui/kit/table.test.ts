import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { instanceKind as look } from "../../../../tui/kinds/instance/instance.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { parseFilter } from "../../../../tui/kit/table/filter.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { RowView } from "../../../../tui/kit/table/row-view.js";
import { removed, upsertInstance } from "../steps.js";

const kinds = new KindTable(tuiKinds);
const [name] = look.columns;
const state = look.columns.find((column) => column.id === "state");

function view(fleet: Fleet, filter: string, sortBy = name, descending = false): RowView {
  if (sortBy === undefined) throw new Error("the table has columns");
  return new RowView(fleet.table("instance"), {
    filter: parseFilter(filter),
    columns: look.columns,
    sortBy,
    descending,
    scope: undefined,
  });
}

function ids(rows: RowView): string[] {
  return Array.from({ length: rows.length }, (_, index) => rows.at(index)?.id ?? "");
}

describe("a view of a table", () => {
  it("orders numbers in names by value", () => {
    const fleet = new Fleet(kinds, 0);
    for (const id of ["vm10", "vm2", "vm1"]) fleet.apply(upsertInstance("alpha", id), 0);
    const rows = view(fleet, "");
    rows.read({ fleet, nowMs: 0 });
    expect(ids(rows)).toEqual(["vm1", "vm2", "vm10"]);
    expect(rows.indexOf("hosts/alpha/instances/vm10")).toBe(2);
    expect(rows.indexOf("hosts/alpha/instances/other")).toBe(-1);
  });

  it("shows after any changes what a new view would show", () => {
    const change = fc.record({
      id: fc.integer({ min: 0, max: 40 }),
      host: fc.constantFrom("alpha", "beta"),
      state: fc.constantFrom(
        InstanceState.INSTANCE_STATE_RUNNING,
        InstanceState.INSTANCE_STATE_STOPPED,
        InstanceState.INSTANCE_STATE_FAILED,
      ),
      gone: fc.boolean(),
      read: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), fc.boolean(), (changes, descending) => {
        const fleet = new Fleet(kinds, 0);
        for (let id = 0; id < 80; id += 1) fleet.apply(upsertInstance("gamma", `vm${id}`), 0);
        const kept = view(fleet, "host!=beta", state, descending);
        kept.read({ fleet, nowMs: 0 });
        for (const { id, host, state: to, gone, read } of changes) {
          fleet.apply(gone ? removed(`hosts/${host}/instances/vm${id}`) : upsertInstance(host, `vm${id}`, to), 0);
          if (read) kept.read({ fleet, nowMs: 0 });
        }
        kept.read({ fleet, nowMs: 0 });
        const fresh = view(fleet, "host!=beta", state, descending);
        fresh.read({ fleet, nowMs: 0 });
        expect(ids(kept)).toEqual(ids(fresh));
      }),
    );
  });
});

describe("a table", () => {
  it("counts by host and state as rows change and go", () => {
    const fleet = new Fleet(kinds, 0);
    const instances = fleet.table("instance");
    fleet.apply(upsertInstance("alpha", "a", InstanceState.INSTANCE_STATE_RUNNING), 0);
    fleet.apply(upsertInstance("alpha", "b", InstanceState.INSTANCE_STATE_RUNNING), 0);
    fleet.apply(upsertInstance("alpha", "b", InstanceState.INSTANCE_STATE_STOPPED), 0);
    const both = new Map([
      [InstanceState.INSTANCE_STATE_RUNNING, 1],
      [InstanceState.INSTANCE_STATE_STOPPED, 1],
    ]);
    expect([instances.statesOn("alpha"), instances.totals]).toEqual([both, both]);
    fleet.apply(removed("hosts/alpha/instances/a"), 0);
    fleet.apply(removed("hosts/alpha/instances/b"), 0);
    expect([instances.statesOn("alpha").size, instances.totals.size, instances.countOn("alpha")]).toEqual([0, 0, 0]);
    expect([instances.namesOn("alpha"), instances.hosts]).toEqual([[], []]);
  });

  it("tells a reader that fell far behind to read everything", () => {
    const fleet = new Fleet(kinds, 0);
    for (let turn = 0; turn < 40_000; turn += 1) fleet.apply(upsertInstance("alpha", `vm${turn % 10}`), 0);
    const instances = fleet.table("instance");
    expect(instances.changesSince(0).everything).toBe(true);
    const recent = instances.changesSince(instances.version - 3);
    expect(recent).toMatchObject({ everything: false });
  });
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { instanceKind } from "../../../../tui/kinds/instance/instance.js";
import { Fleet } from "../../../../tui/kit/fleet/fleet.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { FirstEntries } from "../../../../tui/kit/table/first-entries.js";
import { noFilter, parseFilter } from "../../../../tui/kit/table/filter.js";
import { RowView, type ViewQuery } from "../../../../tui/kit/table/row-view.js";
import { TableState } from "../../../../tui/kit/table/table-state.js";
import type { Row } from "../../../../tui/kit/row.js";
import { removed, upsertInstance } from "../steps.js";

const kinds = new KindTable(tuiKinds);
const { columns } = instanceKind;
const [first] = columns;
if (first === undefined) throw new Error("the table has columns");
const columnOf = (id: string) => columns.find((column) => column.id === id) ?? first;
const onAlpha = (row: Row) => row.host === "alpha";
const usual: ViewQuery = { filter: noFilter, columns, sortBy: first, descending: false, scope: undefined };

const states = [
  InstanceState.INSTANCE_STATE_RUNNING,
  InstanceState.INSTANCE_STATE_STOPPED,
  InstanceState.INSTANCE_STATE_FAILED,
];
/** More than are looked at in one part, and than are brought in at once when they change. */
const many = 2400;

function makeFleet(): Fleet {
  const fleet = new Fleet(kinds, 0);
  for (let at = 0; at < many; at += 1)
    fleet.apply(upsertInstance(at % 3 === 0 ? "alpha" : "beta", `vm${at}`, states[at % 2]), 0);
  return fleet;
}

function names(rows: { readonly length: number; slice(from: number, to: number): readonly Row[] }): string[] {
  return rows.slice(0, rows.length).map(({ name }) => name);
}

const step = fc.oneof(
  fc.record({
    do: fc.constant("change" as const),
    at: fc.nat(many + 40),
    host: fc.constantFrom("alpha", "beta"),
    state: fc.nat(2),
    gone: fc.boolean(),
  }),
  fc.record({
    do: fc.constant("filter" as const),
    text: fc.constantFrom(
      "",
      "vm1",
      "vm12",
      "vm123",
      "vm",
      "~v9",
      "state=running",
      "not vm1",
      "host!=beta vm2",
      "age<1h",
    ),
  }),
  fc.record({
    do: fc.constant("sort" as const),
    by: fc.constantFrom("name", "state", "host", "age"),
    descending: fc.boolean(),
  }),
  fc.record({ do: fc.constant("scope" as const), isOn: fc.boolean() }),
  fc.record({ do: fc.constant("faults" as const), isOn: fc.boolean() }),
  fc.record({ do: fc.constant("glance" as const), parts: fc.nat(3) }),
  // More changes at once than are remembered one by one, of few rows or of all.
  fc.record({ do: fc.constant("storm" as const), rows: fc.constantFrom(7, many) }),
  fc.record({ do: fc.constant("work" as const) }),
);

it("shows after any changes, filters and orders, however far each was looked through, what a view made anew shows", () => {
  const context = (fleet: Fleet) => ({ fleet, nowMs: 0 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const fleet = makeFleet();
      let query = usual;
      const kept = new RowView(fleet.table("instance"), query);
      for (const each of steps) {
        if (each.do === "change") {
          const id = `vm${each.at}`;
          const gone = removed(`hosts/${each.host}/instances/${id}`);
          fleet.apply(each.gone ? gone : upsertInstance(each.host, id, states[each.state]), 0);
        } else if (each.do === "storm") {
          for (let turn = 0; turn < 8300; turn += 1) fleet.apply(upsertInstance("beta", `vm${turn % each.rows}`), 0);
        } else if (each.do === "work") {
          kept.work();
        } else if (each.do === "glance") {
          const seen = kept.glance(context(fleet));
          const shown = names(seen);
          expect(new Set(shown).size).toBe(shown.length);
          for (let part = 0; part < each.parts; part += 1) kept.work();
        } else {
          if (each.do === "filter") query = { ...query, filter: parseFilter(each.text) };
          else if (each.do === "sort") query = { ...query, sortBy: columnOf(each.by), descending: each.descending };
          else if (each.do === "scope") query = { ...query, scope: each.isOn ? onAlpha : undefined };
          else query = { ...query, faultsOnly: each.isOn };
          kept.setQuery(query);
        }
      }
      const fresh = new RowView(fleet.table("instance"), query);
      const [mine, wanted] = [names(kept.read(context(fleet))), names(fresh.read(context(fleet)))];
      expect(mine).toEqual(wanted);
      expect([kept.length, kept.total]).toEqual([fresh.length, fresh.total]);
      const [some = ""] = mine.slice(-1);
      expect(kept.indexOf(some)).toBe(mine.length - 1);
    }),
    { numRuns: 20 },
  );
});

it("comes to an end of a sort and of a filter, however many changes come with each part of the work", () => {
  const fleet = makeFleet();
  const table = fleet.table("instance");
  const context = { fleet, nowMs: 0 };
  let turn = 0;
  const storm = (): void => {
    for (const version = table.version; table.version - version < 8300; turn += 1)
      fleet.apply(upsertInstance("beta", `vm${turn % 1000}`, states[turn % 3]), 0);
  };
  for (const query of [usual, { ...usual, sortBy: columnOf("state") }, { ...usual, filter: parseFilter("vm1") }]) {
    const view = new RowView(table, query);
    // Rows are looked at twice at most: to be put in order or picked, and once more for what has changed meanwhile.
    for (let part = 0; part < 20 && !view.glance(context).isWhole; part += 1) {
      view.work();
      storm();
    }
    expect(view.isWhole).toBe(true);
    expect(names(view.read(context))).toEqual(names(new RowView(table, query).read(context)));
  }
});

it("shows the first rows that pass before all were looked at, and keeps the cursor on its row meanwhile", () => {
  const fleet = makeFleet();
  const table = new TableState(fleet, "instance");
  table.rows(0);
  table.select("hosts/beta/instances/vm1222");
  table.setFilter("vm");
  const begun = table.window(10, 0);
  expect([begun.isWhole, begun.rows.length, begun.matched > 0, begun.matched < many]).toEqual([false, 10, true, true]);
  while (table.work());
  const whole = table.window(10, 0);
  expect([whole.isWhole, whole.matched]).toEqual([true, many]);
  expect(whole.rows[whole.cursor - whole.top]?.id).toBe("vm1222");
});

it("shows the first rows in order while a table that is opened is put in order, and only those that pass", () => {
  const fleet = makeFleet();
  const table = new TableState(fleet, "instance");
  const begun = table.window(10, 0);
  expect([begun.isWhole, begun.rows.length, begun.total]).toEqual([false, 10, many]);
  while (table.work());
  const whole = table.window(10, 0);
  expect(whole.isWhole).toBe(true);
  const narrow = new TableState(fleet, "instance", { title: "beta", host: "beta" });
  narrow.setFilter("vm7");
  const some = narrow.window(10, 0);
  expect([some.isWhole, some.rows.length]).toEqual([false, 10]);
  for (const { host, id } of some.rows) expect([host, id]).toEqual(["beta", expect.stringMatching(/^vm7/)]);
  // Who goes further down than that gets the rest at once.
  narrow.move(Number.POSITIVE_INFINITY, 0);
  expect(narrow.window(10, 0)).toMatchObject({ isWhole: true });
  expect(narrow.current(0)?.id).toBe("vm799");
});

it("has the first of all rows in the end, in whatever order they come", () => {
  const order = [(left: number, right: number) => left - right, (left: number, right: number) => right - left];
  fc.assert(
    fc.property(fc.array(fc.nat(5000), { maxLength: 800 }), fc.constantFrom(0, 1), (keys, way) => {
      const compare = order[way] ?? ((left: number, right: number) => left - right);
      const first = new FirstEntries(
        (left, right) => compare(Number(left.key), Number(right.key)) || left.slot - right.slot,
        (slot) => slot % 3 > 0,
      );
      for (const [slot, key] of keys.entries()) first.add({ slot, key, more: undefined, tie: "" });
      const wanted = keys.map((key, slot) => ({ key, slot })).filter(({ slot }) => slot % 3 > 0);
      wanted.sort((left, right) => compare(left.key, right.key) || left.slot - right.slot);
      expect(first.slice(0, 256).map(({ slot }) => slot)).toEqual(wanted.slice(0, 256).map(({ slot }) => slot));
      expect(first.given).toBe(keys.length);
    }),
  );
});

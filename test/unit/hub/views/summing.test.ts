import fc from "fast-check";
import { expect, it } from "vitest";
import { type Entry, Selection } from "../../../../hub/views/ordering.js";
import type { Row, RowTable } from "../../../../hub/views/row-table.js";
import { type SumsWanted, Summings } from "../../../../hub/views/summing.js";
import { OrderedRows } from "../../../../lib/list/ordered-rows.js";

interface Numbered extends Row {
  readonly cells: number[];
}

const table = { kind: "gauge" } as RowTable;

function row(at: number, number = 0): Numbered {
  return {
    ...{ table, name: `g${at}`, kept: undefined as never, cells: [number, 1] },
    ...{ state: "", revision: 0n, isGone: false },
  };
}

const entryOf = (of: Row): Entry => ({ row: of, keys: [], state: "" });

/** Rows of which those with a positive number are selected, and sums of their two columns. */
function world({ rows, mostRows = 1000 }: { readonly rows: readonly Numbered[]; readonly mostRows?: number }) {
  const selection = new Selection((each) => Number(each.cells[0]) > 0);
  const compare = (left: Entry, right: Entry): number => left.row.name.localeCompare(right.row.name);
  const picked = rows.filter(selection.passes).map(entryOf).sort(compare);
  [...selection.begin(picked, new OrderedRows(compare, picked), entryOf)];
  let read = 0;
  const addend = (at: number) => (each: Row) => {
    read += 1;
    return Number(each.cells[at]);
  };
  const summings = new Summings(mostRows, async (_, work) => {
    await Promise.resolve();
    [...work];
  });
  const held = new Set<object>();
  const wanted = (caller = "ana", sums = ["size", "count"]): SumsWanted => {
    const lease = { caller, hold: () => void held.add(lease), release: () => void held.delete(lease) };
    const kind = { table, addendsOf: [addend(0), addend(1)] };
    const view = { kinds: [kind], sums, selectionKey: "all", lease } as unknown as SumsWanted["view"];
    return { view, selection, caller, rows: rows.length };
  };
  const change = (each: Numbered, number: number): void => {
    each.cells[0] = number;
    selection.take(each, each.isGone ? undefined : entryOf(each));
  };
  return { selection, summings, wanted, change, held, read: () => read };
}

it("has the sums of what is selected, whatever changes, while it begins, too", async () => {
  const change = fc.record({ at: fc.nat(9), to: fc.integer({ min: -5, max: 5 }), isGone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 10 }),
      fc.array(change),
      async (given, all) => {
        const rows = given.map((number, at) => row(at, number));
        const { selection, summings, wanted, change: make } = world({ rows });
        const holding = summings.hold(wanted());
        for (const { at, to, isGone } of all) {
          const each = rows[at];
          if (each === undefined || each.isGone) continue;
          each.isGone = isGone;
          make(each, to);
        }
        const { totals } = await holding;
        const left = rows.filter((each) => selection.has(each));
        expect(left).toEqual(rows.filter((each) => !each.isGone && (each.cells[0] ?? 0) > 0));
        expect(totals).toEqual({ size: left.reduce((sum, each) => sum + (each.cells[0] ?? 0), 0), count: left.length });
      },
    ),
  );
});

it("looks at a row that has changed, and at no other", async () => {
  const rows = Array.from({ length: 100 }, (_, at) => row(at, 1));
  const { summings, wanted, change, read } = world({ rows });
  const held = await summings.hold(wanted());
  const before = read();
  const [first] = rows;
  if (first !== undefined) change(first, 9);
  expect(held.totals).toEqual({ size: 108, count: 100 });
  expect(read() - before).toBe(2);
});

it("is had together by those who ask for the same, until the last lets go", async () => {
  const rows = [row(0, 1), row(1, 2)];
  const { selection, summings, wanted, held, read } = world({ rows });
  const first = await summings.hold(wanted());
  const before = read();
  const second = await summings.hold(wanted("bob"));
  expect([read(), selection.summings.size, held.size]).toEqual([before, 1, 1]);
  first.release();
  expect([second.totals, held.size]).toEqual([{ size: 3, count: 2 }, 1]);
  second.release();
  expect([selection.summings.size, held.size]).toEqual([0, 0]);
});

it("sums up so much for a caller and no more, and one thing for everybody", async () => {
  const { summings, wanted } = world({ rows: Array.from({ length: 8 }, (_, at) => row(at, 1)), mostRows: 10 });
  const first = await summings.hold(wanted());
  await expect(summings.hold(wanted("ana", ["count"]))).rejects.toThrow(/ana sum up 8 rows already; close some/);
  await summings.hold(wanted("bob", ["count"]));
  first.release();
  await summings.hold(wanted("ana", ["count", "size"]));
});

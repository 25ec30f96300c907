import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrderedRows } from "../../../../lib/list/ordered-rows.js";

describe("rows in order", () => {
  it("are those of a sorted list, whatever comes and goes", () => {
    const compare = (left: number, right: number): number => left - right;
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 2000 }),
        fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 2000 }),
        fc.integer({ min: 0, max: 2000 }),
        (first, changes, from) => {
          const sorted = [...first].sort(compare);
          const model = new Set(sorted);
          const rows = new OrderedRows<number>(compare, sorted);
          for (const each of changes) {
            if (model.has(each)) expect(rows.delete(each)).toBe(true);
            else rows.add(each);
            if (!model.delete(each)) model.add(each);
          }
          const all = [...model].sort(compare);
          expect(rows.delete(-1)).toBe(false);
          expect([...rows.all()]).toEqual(all);
          expect(rows.size).toBe(all.length);
          expect(rows.slice(from, from + 40)).toEqual(all.slice(from, from + 40));
          const some = all[Math.floor(all.length / 2)];
          if (some !== undefined) expect(rows.rankOf(some)).toBe(all.indexOf(some));
        },
      ),
      { numRuns: 60 },
    );
  });
});

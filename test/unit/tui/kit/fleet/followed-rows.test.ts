import fc from "fast-check";
import { expect, it } from "vitest";
import { tuiKinds } from "../../../../../tui/kinds/index.js";
import { Fleet } from "../../../../../tui/kit/fleet/fleet.js";
import { FollowedRows } from "../../../../../tui/kit/fleet/followed-rows.js";
import { KindTable } from "../../../../../tui/kit/kind-table.js";
import { removed, upsertInstance } from "../../steps.js";

it("are those of the table after any changes, and the same objects where nothing has changed", () => {
  const step = fc.record({ at: fc.nat(12), gone: fc.boolean(), looks: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const fleet = new Fleet(new KindTable(tuiKinds), 0);
      const followed = new FollowedRows(fleet.table("instance"));
      for (const { at, gone, looks } of steps) {
        fleet.apply(gone ? removed(`hosts/alpha/instances/vm${at}`) : upsertInstance("alpha", `vm${at}`), 0);
        if (!looks) continue;
        const before = [...followed.rows];
        expect([...followed.rows]).toEqual(before);
        expect([...followed.rows].every((row, index) => row === before[index])).toBe(true);
      }
      const names = Array.from(followed.rows, ({ name }) => name);
      expect(names.toSorted()).toEqual(Array.from(fleet.rowsOf("instance"), ({ name }) => name).toSorted());
      for (const { name, resource } of followed.rows) expect(resource).toEqual(fleet.find("instance", name)?.resource);
    }),
  );
});

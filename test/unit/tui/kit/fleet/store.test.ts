import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codecOf } from "../../../../../lib/kinds/codecs.js";
import { EncodedReader, fieldNumbers } from "../../../../../lib/kinds/encoded.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { Slab } from "../../../../../tui/kit/fleet/slab.js";
import { Table } from "../../../../../tui/kit/fleet/table.js";
import { hostOf } from "../../../../../tui/kit/resource-name.js";
import { fakeFleet, hostileTexts } from "../../../../fakes/fleet-data.js";

const stateAt = fieldNumbers("instance", ["status", "state"]);

function emptyTable(limit = Number.POSITIVE_INFINITY): Table {
  return new Table({ kind: "instance", stateAt, limit });
}

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom(...hostileTexts), fc.constant("x".repeat(300_000)));
const name = fc.oneof(
  { weight: 8, arbitrary: fc.nat(30).map((id) => `hosts/h${id % 4}/instances/vm${id}`) },
  { weight: 1, arbitrary: fc.constantFrom("hosts/ä/instances/漢字", "hosts/h1/instances/\x1b[2J\u202e", "", "odd") },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), name, state: fc.nat(5), reason: text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("begin" as const, "end" as const, "read" as const) }) },
);

describe("a table", () => {
  it("holds after any steps what a map of objects holds, and tells readers of all that changed", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = emptyTable();
        const model = new Map<string, { readonly value: Instance; readonly at: number; snapshot: number }>();
        const known = new Map<number, string>();
        let [snapshot, seen] = [0, 0];
        const look = (): void => {
          const changes = table.changesSince(seen);
          if (changes.everything) throw new Error("so few changes are all remembered");
          for (const slot of changes.slots) known.set(slot, table.at(slot)?.name ?? "gone");
          seen = changes.version;
        };
        for (const [at, each] of steps.entries()) {
          if (each.do === "put") {
            const value = Instance.fromPartial({ name: each.name, status: { state: each.state, reason: each.reason } });
            table.putValue(value, at);
            const before = model.get(each.name);
            if (before === undefined) model.set(each.name, { value, at, snapshot });
            else Object.assign(before, { value, at, snapshot });
          } else if (each.do === "remove") expect(table.remove(each.name)).toBe(model.delete(each.name));
          else if (each.do === "read") look();
          else if (each.do === "begin") {
            table.beginSnapshot();
            snapshot += 1;
          } else {
            const old = [...model].filter(([, held]) => held.snapshot !== snapshot).map(([each]) => each);
            for (const each of old) model.delete(each);
            expect(table.endSnapshot()).toEqual(old);
          }
        }
        look();
        const rows = [...table.rows()];
        expect(rows.map((row) => [row.name, row.resource, row.receivedAtMs])).toEqual(
          [...model].map(([each, { value, at }]) => [each, value, at]),
        );
        const slots = [...table.slots()];
        expect(slots.map((slot) => [table.at(slot)?.name, table.glance(slot)?.resource])).toEqual(
          [...model].map(([each, { value }]) => [each, value]),
        );
        expect(slots.map((slot) => known.get(slot))).toEqual(rows.map((row) => row.name));
        const states = [...model.values()].map(({ value }) => value.status?.state ?? 0);
        expect(table.totals).toEqual(countsOf(states));
        for (const host of ["h0", "h1", "h2", "h3", "ä", ""]) {
          const there = [...model].filter(([each]) => (hostOf(each) ?? "") === host);
          expect(table.namesOn(host)).toEqual(there.map(([each]) => each));
          expect(table.statesOn(host)).toEqual(countsOf(there.map(([, { value }]) => value.status?.state ?? 0)));
        }
        for (const [each, { value }] of model) expect(table.find(each)?.resource).toEqual(value);
        expect([table.size, table.find("hosts/h0/instances/none")]).toEqual([model.size, undefined]);
      }),
      { numRuns: 150 },
    );
  });

  it("gives rows that stay as they were, whatever becomes of the resource and its slot", () => {
    const table = emptyTable();
    const [first, second] = ["hosts/a/instances/x", "hosts/a/instances/y"];
    table.putValue(Instance.fromPartial({ name: first, status: { state: 1, reason: "one" } }), 1);
    const row = table.find(first);
    table.putValue(Instance.fromPartial({ name: first, status: { state: 2, reason: "two" } }), 2);
    const slot = table.slotOf(first);
    table.remove(first);
    table.putValue(Instance.fromPartial({ name: second, status: { state: 3 } }), 3);
    expect(table.slotOf(second)).toBe(slot);
    expect(row).toMatchObject({ name: first, id: "x", host: "a", receivedAtMs: 1 });
    expect(row?.resource).toMatchObject({ name: first, status: { state: 1, reason: "one" } });
    expect(table.at(slot)?.resource).toMatchObject({ name: second });
  });

  it("asked again, gives the row that it has decoded, until the resource changes", () => {
    const table = emptyTable();
    table.putValue(Instance.fromPartial({ name: "hosts/a/instances/x" }), 1);
    const row = table.find("hosts/a/instances/x");
    expect(table.find("hosts/a/instances/x")).toBe(row);
    table.putValue(Instance.fromPartial({ name: "hosts/a/instances/x" }), 2);
    expect(table.find("hosts/a/instances/x")).not.toBe(row);
  });

  it("shows of a resource that cannot be decoded its name", () => {
    const table = emptyTable();
    // A name, then a spec whose own bytes are cut off.
    const spec = fieldNumbers("instance", ["spec", "cpus"])[0] ?? 0;
    table.put(Buffer.from([0x0a, 1, 0x78, (spec << 3) | 2, 2, 0x12, 0x7f]), 0);
    expect(table.find("x")?.resource).toMatchObject({ name: "x", spec: undefined });
    expect(() => table.put(Buffer.from([0x0a, 9, 0x78]), 0)).toThrow("these bytes are no message");
    expect(table.size).toBe(1);
  });

  it("takes a few hundred bytes for each of many resources, and gives back what is not needed any more", () => {
    const table = emptyTable();
    const instances = fakeFleet({ hosts: 40, instancesPerHost: 50, nowMs: 0 }).filter(
      ({ kind }) => kind === "instance",
    );
    const codec = codecOf("instance");
    const sizes = instances.map(({ value }) => codec.encode(value as Instance).finish().length);
    for (const { value } of instances) table.putValue(value, 0);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    expect(table.keptBytes / instances.length).toBeLessThan(bytes / instances.length + 100);
    for (let turn = 0; turn < 3; turn += 1) {
      const reason = "r".repeat(400 * (turn + 1));
      for (const { value } of instances) {
        const instance = value as Instance;
        table.putValue({ ...instance, status: { ...instance.status, reason } } as Instance, 1);
      }
      // Every one has grown out of its place: what was left behind is no more than what is there.
      expect(table.keptBytes).toBeLessThan(2 * (bytes + instances.length * (400 * (turn + 1) + 120)) + 3 * 1024 * 1024);
    }
  });

  it("forgets the oldest beyond its limit", () => {
    const table = emptyTable(3);
    for (const id of ["a", "b", "c", "a", "d"])
      table.putValue(Instance.fromPartial({ name: `hosts/h/instances/${id}` }), 0);
    expect([...table.rows()].map(({ id }) => id)).toEqual(["b", "c", "d"]);
  });
});

describe("a slab", () => {
  it("gives what was put, whatever was put, replaced and freed besides", () => {
    const sizes = fc.array(fc.tuple(fc.nat(20), fc.oneof(fc.nat(100), fc.nat(5000), fc.constant(400_000))), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, (puts) => {
        const slab = new Slab();
        const model = new Map<number, { address: number; bytes: Buffer }>();
        for (const [turn, [key, size]] of puts.entries()) {
          const bytes = Buffer.alloc(size, turn + 1);
          const before = model.get(key);
          if (before !== undefined && turn % 5 === 0) {
            slab.free(before.address, before.bytes.length);
            model.delete(key);
          } else if (before !== undefined) {
            model.set(key, { address: slab.replace(before.address, before.bytes.length, bytes), bytes });
          } else model.set(key, { address: slab.put(bytes, 0, size), bytes });
        }
        for (const { address, bytes } of model.values()) {
          const from = slab.offsetOf(address);
          expect(
            slab
              .chunkOf(address)
              .subarray(from, from + bytes.length)
              .equals(bytes),
          ).toBe(true);
        }
      }),
    );
  });
});

describe("an encoded message", () => {
  it("is read in single fields as a decoder reads it", () => {
    const reader = new EncodedReader();
    for (const { kind, value } of fakeFleet({ hosts: 3, instancesPerHost: 3, hostile: true, nowMs: 1e12 })) {
      if (kind !== "instance") continue;
      const bytes = codecOf(kind)
        .encode(value as Instance)
        .finish();
      reader.findName(bytes);
      expect(Buffer.from(bytes.subarray(reader.from, reader.to)).toString()).toBe(value.name);
      expect(reader.number(bytes, stateAt)).toBe((value as Instance).status?.state);
    }
    expect(reader.number(new Uint8Array(), stateAt)).toBe(0);
    expect(() => reader.number(Buffer.from([0x0b]), stateAt)).toThrow("no wire type 3");
    expect(() => fieldNumbers("instance", ["status", "nothing"])).toThrow("no number at status.nothing");
  });
});

function countsOf(states: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

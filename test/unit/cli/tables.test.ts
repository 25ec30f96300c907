import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { TableRow } from "../../../tui/cli/output/columns.js";
import { type ColumnMaker, figuresAsked, shownColumns, sortedRows } from "../../../tui/cli/output/list-form.js";
import {
  fieldColumns,
  resourceRows,
  resourceTable,
  staleHosts,
  unreachableNotes,
} from "../../../tui/cli/output/show-rows.js";
import { fakeFleet } from "../../fakes/fleet-data.js";

const now = new Date("2026-01-01T00:00:00Z");
const fleet: readonly AnyResource[] = fakeFleet({
  hosts: 4,
  instancesPerHost: 5,
  unreachable: 1,
  hostile: true,
  nowMs: now.getTime(),
});
const unreachable = [
  { name: "hosts/delta", reason: "no answer", lastSeenTime: now, lastSeenAge: { seconds: 14n, nanos: 0 } },
  { name: "hosts/epsilon", reason: "its agent has not joined yet", lastSeenTime: undefined, lastSeenAge: undefined },
];

function draw(kind: string, width: number | undefined, wide = false): string[] {
  const resources = fleet.filter((resource) => resource.kind === kind);
  const stale = staleHosts(unreachable);
  const table = resourceTable(resources, kindNamed(kind), {
    width,
    labelColumns: [],
    color: false,
    stale,
    form: { output: wide ? "wide" : "table" },
  });
  return [table.header(), ...resources.map((resource) => table.row(resource))];
}

const kinds: readonly string[] = ["host", "instance", "lan", "link", "operation"];

describe.each(kinds)("the table of kind %s", (kind) => {
  it.each([60, 80, 132, 200])("fits a terminal of %i columns, and keeps name and state", (width) => {
    const [header = "", ...rows] = draw(kind, width);
    expect(rows.length).toBeGreaterThan(0);
    for (const line of [header, ...rows]) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    expect(header).toMatch(/^NAME +STATE/);
  });

  it("escapes every cell, also with all columns", () => {
    for (const line of draw(kind, undefined, true)) expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  });

  it("shows with -o wide everything the narrow form shows", () => {
    const titles = (header: string | undefined): string[] => (header ?? "").split(/ {2,}/);
    const wide = titles(draw(kind, undefined, true)[0]);
    for (const title of titles(draw(kind, undefined)[0])) expect(wide).toContain(title);
  });
});

describe("what is old", () => {
  it("is marked in its row, with its age", () => {
    const rows = draw("instance", 100);
    expect(rows[0]).toMatch(/^NAME +STATE +SEEN/);
    const old = rows.filter((row) => row.startsWith("delta/"));
    expect(old.length).toBeGreaterThan(0);
    for (const row of old) expect(row).toMatch(/^delta\/\S+ +[A-Z]+\? +14s ago/);
    for (const row of rows.filter((each) => each.startsWith("alpha/"))) expect(row).toMatch(/^alpha\/\S+ +[A-Z]+ +now/);
  });

  it("is told in a line for each host", () => {
    expect(unreachableNotes(unreachable)).toEqual([
      "host delta is unreachable, last seen 14s ago: no answer; what is shown of it may be old",
      "host epsilon has not been heard: its agent has not joined yet",
    ]);
  });
});

describe("what is measured", () => {
  const instance = kindNamed("instance");
  const resources = fleet.filter(({ kind }) => kind === "instance").slice(0, 3);
  const names = resources.map(({ value }) => value.name);
  const values = (permille: number, bytes: number) => ({
    values: new Map([
      [Figure.FIGURE_CPU_OF_LIMIT, permille],
      [Figure.FIGURE_MEMORY, bytes],
      [Figure.FIGURE_NET_IN, 7 * bytes],
    ]),
  });
  const usage = new Map([
    [names[0] ?? "", values(20, 1 << 20)],
    [names[2] ?? "", values(915, 1 << 22)],
  ]);
  const made = { labelColumns: [], stale: new Map() };
  const all = resourceRows(resources, instance, { ...made, usage });
  const named = async (...columns: readonly string[]) => {
    const make = await fieldColumns(instance, { columns });
    return { make, shown: shownColumns(all.columns, { output: "table", columns }, make) };
  };

  it("is asked for where it is shown or sorted by, and nowhere else", async () => {
    const { FIGURE_CPU_OF_LIMIT: cpu, FIGURE_MEMORY: memory, FIGURE_NET_IN: traffic } = Figure;
    const asked = (form: Parameters<typeof figuresAsked>[1], make?: ColumnMaker<TableRow>) =>
      figuresAsked(all.columns, form, make);
    expect(asked({ output: "table" })).toEqual([]);
    expect(asked({ output: "csv" })).toEqual([]);
    expect(asked({ output: "json" })).toEqual([]);
    expect(asked({ output: "wide" })).toEqual([cpu, memory]);
    expect(asked({ output: "name", sortBy: "-cpu, NAME" })).toEqual([cpu]);
    const { make } = await named("net.in", "USED");
    expect(asked({ output: "csv", columns: ["net.in", "USED"] }, make)).toEqual([traffic, memory]);
  });

  it("has columns in units for people, and comes last where it is not measured, in either direction", async () => {
    const { shown, make } = await named("cpu", "mem.used", "net.in", "memory");
    expect(shown.map(({ title }) => title)).toEqual(["CPU%", "USED", "NET IN", "MEM"]);
    const cells = all.rows.map((row) => shown.map((column) => column.value(row)));
    expect(cells).toEqual([
      ["2.0", expect.stringMatching(/^1M\/\d/), "7M/s", expect.any(String)],
      ["-", "-", "-", expect.any(String)],
      ["91.5", expect.stringMatching(/^4M\/\d/), "28M/s", expect.any(String)],
    ]);
    const order = (sortBy: string) => sortedRows(all.columns, all.rows, sortBy, make).map(({ row }) => row.name);
    expect(order("cpu")).toEqual([names[0], names[2], names[1]]);
    expect(order("-cpu")).toEqual([names[2], names[0], names[1]]);
    expect(order("net.in desc")).toEqual([names[2], names[0], names[1]]);
  });

  it("is a column of every kind that is measured, and of no other", async () => {
    const columns = ["cpu"];
    const host = kindNamed("host");
    const ofHosts = shownColumns(
      resourceRows([], host, made).columns,
      { output: "table", columns },
      await fieldColumns(host, { columns }),
    );
    expect(ofHosts.map(({ figure }) => figure)).toEqual([Figure.FIGURE_CPU_OF_LIMIT]);
    const image = kindNamed("image");
    const make = await fieldColumns(image, { columns });
    expect(() => shownColumns(resourceRows([], image, made).columns, { output: "table", columns }, make)).toThrow(
      /"cpu" is not a field; images have/,
    );
  });
});

import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { resourceTable, staleHosts, unreachableNotes } from "../../../tui/cli/output/show-rows.js";
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

import { describe, expect, it } from "vitest";
import type { Family } from "../../../lib/metrics/family.js";
import { figureGroups } from "../../../lib/metrics/figure-families.js";
import { fleetFamilies } from "../../../lib/metrics/fleet-families.js";
import { ownFamilies } from "../../../lib/metrics/own-families.js";

const nameForm = /^zor_[a-z0-9]+(_[a-z0-9]+)*$/;

function table(families: readonly Family[]): string[] {
  const rows = families.map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`,
  );
  return ["| name | type | labels | what it is |", "| --- | --- | --- | --- |", ...rows];
}

describe("the list of metrics", () => {
  it("has each name once, in the form of Prometheus: totals are counters", () => {
    const all: Family[] = [...ownFamilies, ...Object.values(fleetFamilies).flat()];
    all.push(...figureGroups.flatMap(({ families }) => families));
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { name, type, help } of all) {
      expect(name).toMatch(nameForm);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(help).toMatch(/^[^\\\n]+\.$/);
    }
  });

  it("is docs/metrics.md", async () => {
    const kinds = Object.entries(fleetFamilies).flatMap(([kind, families]) => [
      `## ${kind}s`,
      "",
      ...table(families as readonly Family[]),
      "",
    ]);
    const page = [
      "# Metrics",
      "",
      "Made by `npm run docs` from the code; a unit test compares it. How they are served and read: [monitoring.md](monitoring.md).",
      "A hub tells all of its fleet; an agent what it has itself, in the same words.",
      "",
      "## The program itself",
      "",
      ...table(ownFamilies),
      "",
      ...kinds,
      ...figureGroups.flatMap(({ title, families }) => [`## ${title}`, "", ...table(families), ""]),
    ].join("\n");
    await expect(page).toMatchFileSnapshot("../../../docs/metrics.md");
  });
});

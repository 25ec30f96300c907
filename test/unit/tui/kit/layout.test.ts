import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Column } from "../../../../tui/kit/table/column.js";
import { layoutColumns } from "../../../../tui/kit/table/layout.js";
import { cutLine, fillLine, lineWidth, spreadLine } from "../../../../tui/kit/text/segment.js";

function column(id: string, size: Pick<Column, "importance" | "min" | "max" | "grow">): Column {
  return { id, title: id, ...size, cell: () => ({ text: "" }) };
}

const columns = [
  column("name", { importance: 10, min: 9, max: 40 }),
  column("load", { importance: 5, min: 5, max: 6 }),
  column("why", { importance: 9, min: 10, max: 60, grow: true }),
];

function placed(width: number, content: Readonly<Record<string, number>>): string[] {
  const layout = layoutColumns(columns, width, ({ id }) => content[id] ?? 0);
  return layout.columns.map(({ column: { id }, width: taken }) => `${id}:${taken}`);
}

describe("columns", () => {
  it("are as wide as their content, and the growing one takes what is left", () => {
    expect(placed(100, { name: 12, load: 5, why: 50 })).toEqual(["name:12", "load:5", "why:50"]);
    expect(placed(60, { name: 12, load: 5, why: 50 })).toEqual(["name:12", "load:5", "why:39"]);
  });

  it("go by importance when there is no room, then shrink", () => {
    expect(placed(40, { name: 12, load: 5, why: 50 })).toEqual(["name:12", "why:26"]);
    expect(placed(30, { name: 30, load: 5, why: 50 })).toEqual(["name:13", "why:15"]);
    expect(placed(12, { name: 30, load: 5, why: 50 })).toEqual(["name:12"]);
  });

  it("never take more than the line", () => {
    const any = fc.record({ importance: fc.nat(10), min: fc.integer({ min: 1, max: 20 }), grow: fc.boolean() });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 15 }), fc.integer({ min: 1, max: 220 }), (shapes, width) => {
        const many = shapes.map((shape, index) => column(`c${index}`, { ...shape, max: 60 }));
        const { columns: kept, gap } = layoutColumns(many, width, () => 25);
        const used = kept.reduce((sum, { width: taken }) => sum + taken, 0) + gap * (kept.length - 1);
        expect(kept.length).toBeGreaterThan(0);
        expect(used).toBeLessThanOrEqual(Math.max(width, 1));
      }),
    );
  });
});

describe("lines", () => {
  it("are cut to their width across segments", () => {
    const line = [{ text: "漢字" }, { text: "abcdef" }];
    expect(cutLine(line, 7).map((segment) => segment.text)).toEqual(["漢字", "ab…"]);
    expect(cutLine(line, 10)).toBe(line);
    expect(lineWidth(fillLine(line, 15))).toBe(15);
  });

  it("give up the right part when there is no room for both", () => {
    const left = [{ text: "left" }];
    expect(lineWidth(spreadLine(left, [{ text: "right" }], 20))).toBe(20);
    expect(
      spreadLine(left, [{ text: "right" }], 8)
        .map((segment) => segment.text)
        .join(""),
    ).toBe("left    ");
  });
});

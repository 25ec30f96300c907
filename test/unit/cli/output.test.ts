import fc from "fast-check";
import { status } from "@grpc/grpc-js";
import stringWidth from "string-width";
import { parse as parseYaml } from "yaml";
import { describe, expect, it } from "vitest";
import { invalidArgument, notFound, unavailable, ZorError } from "../../../lib/errors.js";
import { exitCodeOf, exitCodeTable } from "../../../tui/cli/exit-codes.js";
import { codeOfError, formatError } from "../../../tui/cli/output/print-error.js";
import { jsonText, yamlText } from "../../../tui/cli/output/structured.js";
import { type Column, Table } from "../../../tui/cli/output/table.js";
import { escapeLines, escapeText } from "../../../tui/client/escape.js";

const hostile = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

describe("escapeText", () => {
  it.each([
    ["plain text, ünïcode 漢字 🎉", "plain text, ünïcode 漢字 🎉"],
    ["\x1b[31mred\x07", "\\x1b[31mred\\x07"],
    ["a\nb\rc\td", "a\\nb\\rc\\td"],
    ["\u009b2J\u0085", "\\x9b2J\\x85"],
    ["abc\u202egnp.exe", "abc\\u202egnp.exe"],
    ["\u2066\u2069\u200b\ufeff\u2028", "\\u2066\\u2069\\u200b\\ufeff\\u2028"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\ud800 alone", "\\ud800 alone"],
  ])("shows %j as %j", (text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  it("leaves nothing that acts on a terminal, whatever comes in", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeText(text)).not.toMatch(hostile);
        expect(escapeLines(text).replaceAll("\n", "")).not.toMatch(hostile);
      }),
    );
  });
});

describe("structured output", () => {
  it("holds nothing that acts on a terminal and still means the same", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.string({ unit: "binary-ascii" }), async (value, key) => {
        const whole = { value, [`k${key}`]: "\u202e\u009b \ufeff\x1b" };
        for (const indent of [true, false]) {
          expect(jsonText(whole, indent).replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(JSON.parse(jsonText(whole, indent))).toEqual(JSON.parse(JSON.stringify(whole)));
        }
        const yaml = await yamlText({ text: "a\u202eb\u009b", list: ["\ufeff"] });
        expect(yaml.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(parseYaml(yaml)).toEqual({ text: "a\u202eb\u009b", list: ["\ufeff"] });
      }),
      { numRuns: 50 },
    );
  });
});

describe("Table", () => {
  interface Row {
    readonly name: string;
    readonly state: string;
    readonly reason: string;
    readonly memory: string;
  }
  const columns: readonly Column<Row>[] = [
    { title: "NAME", rank: 0, shrinkTo: 8, value: ({ name }) => name },
    { title: "STATE", rank: 0, value: ({ state }) => state },
    { title: "MEMORY", rank: 5, align: "right", value: ({ memory }) => memory },
    { title: "REASON", rank: 3, shrinkTo: 12, value: ({ reason }) => reason },
  ];
  const draw = (rows: readonly Row[], width: number | undefined): string[] => {
    const table = new Table(columns, rows, { width, color: false });
    return [table.header(), ...rows.map((row) => table.row(row))];
  };
  const row = (change: Partial<Row> = {}): Row => ({
    name: "alpha/vm1",
    state: "RUNNING",
    reason: "",
    memory: "256M",
    ...change,
  });

  it("is as wide as its content where there is room", () => {
    expect(draw([row(), row({ name: "b/x", reason: "no disk" })], 80)).toEqual([
      "NAME       STATE    MEMORY  REASON",
      "alpha/vm1  RUNNING    256M  -",
      "b/x        RUNNING    256M  no disk",
    ]);
  });

  it("cuts long text before it leaves a column out, and leaves the highest rank out first", () => {
    const rows = [row({ reason: "the disk image is gone and nobody knows where it went" })];
    expect(draw(rows, 60)).toEqual([
      "NAME       STATE    MEMORY  REASON",
      "alpha/vm1  RUNNING    256M  the disk image is gone and nobo\u2026",
    ]);
    expect(draw(rows, 38)).toEqual(["NAME       STATE    REASON", "alpha/vm1  RUNNING  the disk image is\u2026"]);
    expect(draw(rows, 20)).toEqual(["NAME       STATE", "alpha/vm1  RUNNING"]);
    expect(draw(rows, 17)).toEqual(["NAME      STATE", "alpha/v\u2026  RUNNING"]);
  });

  it("is not cut without a limit", () => {
    expect(draw([row({ reason: "x".repeat(500) })], undefined)[1]).toHaveLength(528);
  });

  it("never exceeds the width, in cells, whatever the content", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    const rows = fc.array(
      fc.record({ name: text, reason: text, state: fc.constant("RUNNING"), memory: fc.constant("1G") }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(rows, fc.integer({ min: 17, max: 120 }), (content, width) => {
        for (const line of draw(content, width)) expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  it("counts wide characters as two cells", () => {
    const rows = [row({ name: "漢字漢字漢字" }), row({ name: "abcdefghijkl" })];
    const [, wide = "", narrow = ""] = draw(rows, 80);
    expect(wide.indexOf("RUNNING")).toBe(narrow.indexOf("RUNNING") - 6);
  });

  it("tells which rows need a wider layout", () => {
    const table = new Table(columns, [row()], { width: 80, color: false });
    expect(table.fits(row({ reason: "long reasons are cut" }))).toBe(true);
    expect(table.fits(row({ state: "UNREACHABLE" }))).toBe(false);
    const piped = new Table(columns, [row()], { width: undefined, color: false });
    expect(piped.fits(row({ reason: "nothing is cut on a pipe" }))).toBe(false);
  });
});

describe("exit codes", () => {
  it.each([
    [status.INVALID_ARGUMENT, 2],
    [status.NOT_FOUND, 3],
    [status.ALREADY_EXISTS, 4],
    [status.FAILED_PRECONDITION, 4],
    [status.ABORTED, 4],
    [status.PERMISSION_DENIED, 5],
    [status.UNAUTHENTICATED, 5],
    [status.UNAVAILABLE, 6],
    [status.DEADLINE_EXCEEDED, 6],
    [status.RESOURCE_EXHAUSTED, 7],
    [status.INTERNAL, 1],
  ])("status %i ends with %i, which is documented", (code, exitCode) => {
    expect(exitCodeOf(code)).toBe(exitCode);
    expect(exitCodeTable.map(([documented]) => documented)).toContain(exitCode);
  });

  it("an error that is not of this project ends with 1", () => {
    expect(codeOfError(new TypeError("x is not a function"))).toBe(1);
  });
});

describe("errors", () => {
  const plain = { json: false, verbose: false };

  it("are one line that names the resource once and says what to do", () => {
    expect(formatError(notFound("hosts/alpha", "list them with: zor get hosts"), plain)).toBe(
      "zor: hosts/alpha does not exist; list them with: zor get hosts\n",
    );
    expect(formatError(unavailable("NO_CONNECTION", "127.0.0.1:1", "cannot reach it"), plain)).toBe(
      "zor: 127.0.0.1:1: cannot reach it; is the hub running, and is the context right? See: zor context list\n",
    );
  });

  it("show reason, code, fields and causes when verbose", () => {
    const cause = new Error("socket hang up", { cause: new Error("ECONNRESET") });
    const error = new ZorError({ reason: "R", code: status.ABORTED, message: "m", metadata: { host: "alpha" }, cause });
    const text = formatError(error, { json: false, verbose: true });
    for (const part of [
      "reason: R",
      "code: ABORTED (10)",
      "host: alpha",
      "cause: socket hang up",
      "cause: ECONNRESET",
    ]) {
      expect(text).toContain(part);
    }
  });

  it("are escaped", () => {
    expect(formatError(invalidArgument("name", "\x1b[2J\u202e\nsecond"), { json: false, verbose: true })).toMatch(
      /^[\x20-\x7e\n]*$/,
    );
  });
});

import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { invalidArgument, notFound, unavailable, ZorError } from "../../../lib/errors.js";
import { exitCodeOf, exitCodeTable } from "../../../tui/cli/exit-codes.js";
import { codeOfError, formatError, type Hop } from "../../../tui/cli/output/print-error.js";
import { jsonText, yamlText } from "../../../tui/cli/output/structured.js";
import { type Column, Table } from "../../../tui/cli/output/table.js";
import { escapeLines, escapeText } from "../../../tui/kit/text/escape.js";

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

  it("cuts names in the middle, and only as far as they still differ", () => {
    const named: readonly Column<Row>[] = columns.map((column) =>
      column.title === "NAME" ? { ...column, cut: "middle" } : column,
    );
    const rows = ["alpha/a-very-long-name-for-a-lab-1", "alpha/a-very-long-name-for-a-lab-2", "b/x"].map((name) =>
      row({ name, reason: "no disk" }),
    );
    const names = (width: number, of = rows): string[] => {
      const table = new Table(named, of, { width, color: false });
      return of.map((one) => /^\S*/.exec(table.row(one))?.[0] ?? "");
    };
    expect(names(40)).toEqual(["alpha/a\u2026-lab-1", "alpha/a\u2026-lab-2", "b/x"]);
    const alike = ["alpha/first-and-then-all-the-same", "alpha/other-and-then-all-the-same"].map((name) =>
      row({ name }),
    );
    expect(new Set(names(40, alike)).size).toBe(2);
    expect(names(24, alike).every((name) => name.length < 20)).toBe(true);
  });

  it("fits even where nothing fits", () => {
    for (const width of [1, 5, 9, 14]) {
      for (const line of draw([row({ name: "漢字漢字漢字", reason: "x".repeat(99) })], width)) {
        expect(stringWidth(line)).toBeLessThanOrEqual(Math.max(width, 4));
      }
    }
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
      "zor: 127.0.0.1:1: cannot reach it\n",
    );
  });

  const hop = { address: "127.0.0.1:1", context: "lab", server: "hub", changes: false } as const;
  const error = (reason: string, code: status, resource: string) =>
    new ZorError({ reason, code, message: `no answer from ${resource}`, resource });
  it.each<[string, ZorError, Hop, string]>([
    [
      "to a hub that is away",
      error("NO_CONNECTION", status.UNAVAILABLE, hop.address),
      hop,
      "is the hub running there, and is context lab right? See: zor context show",
    ],
    [
      "to an agent that is away, when zor talks to it",
      error("NO_CONNECTION", status.UNAVAILABLE, hop.address),
      { ...hop, server: "agent" },
      "is the agent running there, and is context lab right? See: zor context show",
    ],
    [
      "to a hub that is silent while something is looked at",
      error("DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED, hop.address),
      hop,
      "the hub of context lab is stopped or hangs; --timeout allows more time",
    ],
    [
      "to a hub that is silent while something is changed",
      error("DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED, hop.address),
      { ...hop, changes: true },
      "it may still happen; look with zor get, or allow more time with --timeout",
    ],
    ["of the hub to an agent", error("NO_CONNECTION", status.UNAVAILABLE, "10.0.0.7:7443"), hop, ""],
    ["of the hub about a host", error("HOST_LOST", status.UNAVAILABLE, "hosts/alpha"), hop, ""],
    ["that the hub gave itself", error("DEADLINE_EXCEEDED", status.DEADLINE_EXCEEDED, "links/demo"), hop, ""],
  ])("hint at the hop that failed: %s", (_, failure, to, hint) => {
    expect(formatError(failure, { ...plain, hop: to })).toBe(
      `zor: ${failure.message}${hint === "" ? "" : `; ${hint}`}\n`,
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

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseQuery } from "../../../../lib/query/parse.js";
import { guarded } from "../../../../lib/query/pattern.js";
import { printQuery } from "../../../../lib/query/print.js";
import { QueryError } from "../../../../lib/query/query-error.js";
import type { Query, QueryTree, QueryValue } from "../../../../lib/query/tree.js";
import { asks, box, test, vm } from "./things.js";

const place = { from: 0, to: 0 };
const text = fc.oneof(
  fc.constantFrom("and", "or", "*", "vm1", "10:20", "a b", "in", "'a b'", "'tis", "limit", "sort", "has", ""),
  fc.string(),
);
const path = fc.array(fc.oneof(fc.constantFrom("name", "not", "has", "a.b/c", "x,y"), fc.string({ minLength: 1 })), {
  minLength: 1,
  maxLength: 3,
});
const value: fc.Arbitrary<QueryValue> = fc.oneof(
  text.map((each) => ({ text: each, isAny: false, place })),
  fc.constant({ text: "*", isAny: true, place }),
);
const { tree: anyTree } = fc.letrec<{ tree: QueryTree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.record({ type: fc.constant("word" as const), value: text, place: fc.constant(place) }),
    fc.record({ type: fc.constant("fuzzy" as const), value: text, place: fc.constant(place) }),
    fc.record({
      type: fc.constant("comparison" as const),
      path,
      operator: fc.constantFrom("=", "==", "!=", "<", "<=", ">", ">=", ":", "~", "!~"),
      values: fc.tuple(value),
      place: fc.constant(place),
    }),
    fc.record({
      type: fc.constant("comparison" as const),
      path,
      operator: fc.constantFrom("in" as const, "not in" as const),
      values: fc.tuple(value, value),
      place: fc.constant(place),
    }),
    fc.record({ type: fc.constant("not" as const), term: tie("tree") }),
    fc.record({
      type: fc.constantFrom("all" as const, "any" as const),
      terms: fc.array(tie("tree"), { minLength: 2, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<QueryTree>,
}));

/** Without places, and with nothing within nothing of the same kind. */
function bare(tree: QueryTree): unknown {
  switch (tree.type) {
    case "all":
    case "any":
      return { type: tree.type, terms: tree.terms.map(bare) };
    case "not":
      return { type: "not", term: bare(tree.term) };
    case "comparison":
      return [tree.path, tree.operator, tree.values.map(({ text: each, isAny }) => [each, isAny])];
    default:
      return [tree.type, tree.value];
  }
}

describe("any query", () => {
  it("is read from its text as it was", () => {
    fc.assert(
      fc.property(
        anyTree,
        fc.array(path, { maxLength: 2 }),
        fc.option(fc.integer({ min: 1, max: 999 })),
        (tree, by, most) => {
          const sort = by.map((each, at) => ({ path: each, descending: at === 0, place }));
          const query: Query = { tree, sort, limit: most ?? undefined };
          const printed = printQuery(query);
          fc.pre(printed.length <= 2000);
          const read = parseQuery(printed);
          expect(bare(read.tree)).toEqual(bare(tree));
          expect(read.sort.map((each) => [each.path, each.descending])).toEqual(
            sort.map((each) => [each.path, each.descending]),
          );
          expect(read.limit).toBe(query.limit);
          expect(printQuery(read)).toBe(printed);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("says what reading it term by term says", () => {
    const leaf = fc.constantFrom(
      ...[
        "name=vm1",
        "state=stopped",
        "mem>4GiB",
        "cpus<2",
        "paris",
        "label.site!=paris",
        "host~rack",
        "cpu>99%",
        "has labels.x",
      ],
    );
    type Naive = string | { readonly op: "and" | "or" | "not"; readonly of: readonly Naive[] };
    const { naive } = fc.letrec<{ naive: Naive }>((tie) => ({
      naive: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.record({
          op: fc.constantFrom("and" as const, "or" as const),
          of: fc.array(tie("naive"), { minLength: 2, maxLength: 3 }),
        }),
        fc.record({ op: fc.constant("not" as const), of: fc.tuple(tie("naive")) }),
      ) as fc.Arbitrary<Naive>,
    }));
    const written = (each: Naive): string =>
      typeof each === "string"
        ? each
        : each.op === "not"
          ? `not (${written(each.of[0] ?? "")})`
          : each.of.map((one) => `(${written(one)})`).join(` ${each.op} `);
    const said = (each: Naive, thing: "vm" | "box"): boolean => {
      if (typeof each === "string") return asks(each, thing);
      if (each.op === "not") return !said(each.of[0] ?? "", thing);
      return each.op === "and" ? each.of.every((one) => said(one, thing)) : each.of.some((one) => said(one, thing));
    };
    fc.assert(
      fc.property(naive, fc.constantFrom("vm" as const, "box" as const), (each, thing) => {
        expect(asks(written(each), thing)).toBe(said(each, thing));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    "(".repeat(100_000),
    `${"(".repeat(500)}a${")".repeat(500)}`,
    "not ".repeat(400),
    "!".repeat(1500),
    "a and ".repeat(300),
    `name~"${"(".repeat(400)}"`,
    'name~"((a{100}){100}){100}"',
    'name~"(?=a)"',
    `name~"${"x".repeat(900)}"`,
    `name in (${"a,".repeat(800)}`,
    `"${"\\".repeat(99_999)}`,
    " ".repeat(100_000),
    `${" ".repeat(1900)}(`,
    "sort by ".repeat(200),
    `sort by ${"name,".repeat(100)}name`,
    "limit 99999999999999999999",
  ])("that is hostile is refused as one, and at once (%#)", (query) => {
    const began = process.cpuUsage();
    expect(() => asks(query, "vm")).toThrow(QueryError);
    // Of the processor's time, not of the clock's.
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(2000);
  });

  it("has patterns that take no longer than the text", () => {
    const run = test(parseQuery('text~"(a+)+(a|aa)+$"').tree, "Instance");
    const long = { ...vm, labels: { x: `${"a".repeat(3900)}!` } };
    expect(run(long)).toBe(false);
  });

  it.each(["(?:a?){300}a{300}", "(a|b|c|d){1000}", "(\\\\pL{10}){100}"])("has no pattern as large as %s", (pattern) => {
    expect(() => asks(`name~"${pattern}"`, "vm")).toThrow(/the pattern .* is too large; repeat less in it/);
  });

  it("has no pattern that others wait for long: it is given up", () => {
    let nowMs = 0;
    const taking = (ms: number) => (): boolean => {
      nowMs += ms;
      return true;
    };
    const clock = (): number => nowMs;
    const slow = guarded("a.{250}c", taking(100), clock);
    expect([slow(""), slow(""), slow("")]).toEqual([true, true, true]);
    expect(() => slow("")).toThrow(expect.objectContaining({ reason: "PATTERN_TOO_COSTLY" }));
    const usual = guarded("a.*c", taking(1), clock);
    for (let at = 0; at < 1000; at += 1) expect(usual("")).toBe(true);
  });

  it("of arbitrary text either works or is refused as a bad one", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "name",
        "mem",
        "4GiB",
        "80%",
        "~",
        "!~",
        "in",
        "not in",
        "(",
        ")",
        ",",
        "sort by",
        "limit",
        "5",
        "desc",
      ),
      fc.constantFrom(
        "and",
        "or",
        "not",
        "has",
        "==",
        "!",
        "~x",
        "!x",
        '"',
        '"x y"',
        "*",
        "label.site",
        "cpu",
        ">",
        ":",
      ),
      fc.string(),
    );
    const written = fc
      .array(word, { maxLength: 14 })
      .chain((words) => fc.constantFrom(words.join(" "), words.join("")));
    const isField = (name: string): boolean => name === "name";
    fc.assert(
      fc.property(written, fc.boolean(), (query, isTable) => {
        try {
          const { tree } = parseQuery(query, isTable ? { isField } : {});
          const run = test(tree, "Instance");
          for (const each of [vm, box, {}, undefined]) expect(typeof run(each)).toBe("boolean");
          expect(bare(parseQuery(printQuery({ tree, sort: [], limit: undefined })).tree)).toEqual(bare(tree));
        } catch (error) {
          if (!(error instanceof QueryError)) throw error;
        }
      }),
      { numRuns: 4000 },
    );
  });
});

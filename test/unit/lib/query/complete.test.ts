import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { completeQuery, type QuerySchema, valuesWanted } from "../../../../lib/query/complete.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import { QueryError } from "../../../../lib/query/query-error.js";

const machines: QuerySchema = { kinds: ["instance"] };
const known: Readonly<Record<string, readonly string[]>> = {
  host: ["alpha", "beta", "rack2-a"],
  labels: ["site", "a.b/c", "two words"],
  "label.site": ["paris", "lyon", "new york", "10:20", '"', "*"],
};
const values = (field: string): readonly string[] => known[field] ?? [];

function choices(text: string, schema = machines, cursor = text.length): readonly string[] {
  return completeQuery(text, cursor, schema, values).choices;
}

describe("what may follow in a query", () => {
  it.each<[string, readonly string[]]>([
    ["", ["name", "host", "kind", "mem", "state", "cpu", "age", "not", "has", "sort by", "limit"]],
    ["sta", ["state", "started"]],
    ["STA", ["state"]],
    ["li", ["limit"]],
    ["(sta", ["state"]],
    ["!sta", ["state"]],
    ["not sta", ["state"]],
    ["vm1 or sta", ["state"]],
    ["state=running sta", ["state"]],
    ["has sta", ["state"]],
    ["state", ["state=", "state!=", "state in ("]],
    ["mem", ["mem>", "mem<", "mem.used"]],
    ["spec", ["spec."]],
    ["spec.mem", ["spec.memory_mib"]],
    ["spec.qemu.mach", ["spec.qemu.machine"]],
    ["label", ["label.", "labels"]],
    ["label.", ["label.site", "label.a.b/c", 'label."two words"']],
    ["label.s", ["label.site"]],
    ["link.rt", ["link.rtt"]],
    ["state ", ["=", "!=", "in (", "and", "or"]],
    ["state n", ["not in ("]],
    ["state !", ["!="]],
    ["state=", ["running", "stopped", "failed"]],
    ["state = r", ["running"]],
    ["state=RU", ["running"]],
    ["state in (running, st", ["stopped", "starting"]],
    ["state not in (st", ["stopped"]],
    ["state in (running ", [",", ")"]],
    ["kind=", ["kvm", "container", "instance"]],
    ["host=", ["alpha", "beta", "rack2-a"]],
    ["host~ra", ["rack2-a"]],
    ["label.site=", ["paris", "lyon", '"new york"', '"10:20"', '"\\""', '"*"']],
    ["label.site='", ["'paris'", "'lyon'", "'new york'", "'10:20'", "'\"'", "'*'"]],
    ["label.site='new y", ["'new york'"]],
    ["label.site=n", ['"new york"']],
    ['label.site="n', ['"new york"']],
    ['label.site="p', ['"paris"']],
    ["labels:s", ["site"]],
    ["mem>4", ["4GiB", "4MiB"]],
    ["mem>4G", ["4GiB"]],
    ["cpu>80", ["80%"]],
    ["age<1", ["1h", "1d", "1m"]],
    ["state=running ", ["and", "or", "sort by", "limit"]],
    ["(state=running ", ["and", "or", ")"]],
    ["(state=running)", [" and", " or", " sort by"]],
    ["state=running a", ["and", "age"]],
    ["state=running sort", ["sort by"]],
    ["sort by ", ["name", "mem", "cpu"]],
    ["mem>1 sort by me", ["mem", "mem.used"]],
    ["sort by mem ", ["desc", "asc", "limit"]],
    ["sort by mem desc, na", ["name"]],
    ["limit ", ["10", "20"]],
  ])("%j", (text, some) => {
    expect(choices(text)).toEqual(expect.arrayContaining([...some]));
  });

  it.each(["state=running)", "mem>", "~vm", '"', "state==x=", "limit 20 mem", "52:54", "sort by mem up "])(
    "%j: nothing is known",
    (text) => {
      expect(choices(text)).toEqual([]);
    },
  );

  it("is not what sorts nothing, nor what is not set", () => {
    expect(choices("sort by lab")).not.toContain("labels");
    expect(choices("sort by nic")).toEqual([]);
    expect(choices("state=")).not.toContain("unspecified");
  });

  it("takes the place of what stands before the cursor", () => {
    expect(completeQuery("sta and mem>4GiB", 3, machines, values)).toMatchObject({ from: 0 });
    expect(completeQuery("vm1 state=ru", 12, machines, values)).toEqual({ from: 10, choices: ["running"] });
    expect(choices('a="(', machines, 0).length).toBeGreaterThan(10);
  });

  it("goes over all kinds, or knows what only a table has", () => {
    expect(choices("los", { kinds: [] })).toEqual(["loss", "loss_ratio"]);
    expect(choices("rac", { kinds: ["host"], words: ["rack"] })).toEqual(["rack"]);
    expect(choices("rack", { kinds: ["host"], words: ["rack"] })).toEqual([
      "rack=",
      "rack!=",
      "rack~",
      "rack:",
      "rack==",
    ]);
  });

  it("tells which values are to be found first", () => {
    expect(valuesWanted("state=running and host=a", 24, machines)).toBe("host");
    expect(valuesWanted("label.", 6, machines)).toBe("labels");
    expect(valuesWanted("state=r", 7, machines)).toBeUndefined();
    expect(valuesWanted("mem>4", 5, machines)).toBeUndefined();
  });

  it("never leads into what is no query, and never fails", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "state",
        "=",
        "!=",
        "running",
        " ",
        " and ",
        " or ",
        "not ",
        "(",
        ")",
        "in (",
        ",",
        "mem>",
        "4",
        '"',
        "~",
        "!",
      ),
      fc.constantFrom(
        " sort by ",
        "mem",
        " desc",
        ",",
        " limit ",
        "5",
        "label.",
        "site",
        "has ",
        ":",
        "host",
        "link.",
        "a b",
        "\\",
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 10 }), fc.nat(5), (words, pick) => {
        const text = words.join("");
        const found = completeQuery(text, text.length, machines, values);
        const choice = found.choices[pick % Math.max(1, found.choices.length)];
        if (choice === undefined) return;
        const next = text.slice(0, found.from) + choice;
        try {
          parseQuery(next);
        } catch (error) {
          if (!(error instanceof QueryError)) throw error;
          // It may want more behind it.
          expect(error.place.from, `${text} | ${choice}: ${error.message}`).toBeGreaterThanOrEqual(found.from);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("takes no longer than the text is long", () => {
    const began = process.cpuUsage();
    for (const text of [
      "(".repeat(65_000),
      "a and ".repeat(10_000),
      "a b ".repeat(16_000),
      `"${"\\".repeat(65_000)}`,
      " ".repeat(65_000),
    ]) {
      choices(text);
    }
    // Of the processor's time, not of the clock's.
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(2000);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileQuery } from "../../../../lib/query/compile.js";
import { type Facts, noFacts } from "../../../../lib/query/facts.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import { printQuery } from "../../../../lib/query/print.js";
import { pointAt, QueryError } from "../../../../lib/query/query-error.js";
import type { Query, QueryTree, QueryValue } from "../../../../lib/query/tree.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";

const now = Date.parse("2026-03-01T12:00:00Z");
const vm = Instance.fromJSON({
  name: "hosts/rack2-a/instances/vm1",
  uid: "0f",
  labels: { site: "paris", "a.b/c": "x" },
  spec: {
    memoryMib: "8192",
    cpus: 4,
    nics: [{ name: "eth0", lan: "lan1", addresses: ["10.1.0.5"] }],
    qemu: { machine: "q35", disks: [{ image: "debian.qcow2" }] },
  },
  status: { state: "INSTANCE_STATE_STOPPED", reason: "asked by ana" },
  createTime: "2026-03-01T09:00:00Z",
});
const box = Instance.fromJSON({ name: "hosts/alpha/instances/box", spec: { crun: { rootfs: "alpine" } } });
const host = Host.fromJSON({ name: "hosts/rack2-a", fingerprint: { memoryMib: "65536" }, state: "HOST_STATE_READY" });
const link = Link.fromJSON({
  name: "links/l1",
  spec: { a: "hosts/rack2-a/lans/lan1", b: "hosts/alpha/lans/lan1" },
  status: { rtt: { nanos: 25_000_000 }, lossRatio: 0.25, state: "LINK_STATE_ACTIVE" },
});
const things = { vm: ["Instance", vm], box: ["Instance", box], host: ["Host", host], link: ["Link", link] } as const;
const facts: Facts = {
  nowMs: () => now,
  figure: (name, figure) => {
    if (name !== vm.name) return undefined;
    return { [Figure.FIGURE_CPU_OF_LIMIT]: 850, [Figure.FIGURE_CPU]: 3400, [Figure.FIGURE_NET_IN]: 2048 }[
      figure as number
    ];
  },
  links: (name) => (name === "hosts/rack2-a/lans/lan1" ? [link] : []),
};

function asks(query: string, thing: keyof typeof things): boolean {
  const [type, resource] = things[thing];
  return test(parseQuery(query).tree, type)(resource);
}

function test(tree: QueryTree, type: string): (resource: unknown) => boolean {
  return compileQuery<unknown>(tree, {
    ...{ where: "query", type: `zor.v1.${type}`, words: "text" },
    bind: (field) => (resource) => field.read(resource, facts),
  });
}

describe("a query", () => {
  const whole =
    'kind=kvm and state!=running and host~"rack2-.*" and mem>4GiB and label.site=paris and cpu>80% and link.rtt>20ms sort by mem desc limit 20';

  it("reads the whole language in one line", () => {
    expect(asks(whole, "vm")).toBe(true);
    expect(asks(whole, "box")).toBe(false);
    const { sort, limit } = parseQuery(whole);
    expect(sort).toMatchObject([{ path: ["mem"], descending: true }]);
    expect(limit).toBe(20);
  });

  it.each<[string, keyof typeof things, boolean]>([
    ["", "vm", true],
    ["paris", "vm", true],
    ["STOPPED", "vm", true],
    ["ana", "vm", true],
    ["nowhere", "vm", false],
    ["!nowhere", "vm", true],
    ["~r2vm1", "vm", true],
    ["~1mv2r", "vm", false],
    ["vm1 !~box", "vm", true],
    ["name=vm1", "vm", true],
    ["name=rack2-a/vm1", "vm", true],
    ["name=m1", "vm", false],
    ["name == hosts/rack2-a/instances/vm1", "vm", true],
    ["name in (vm2, vm1)", "vm", true],
    ["name not in (vm2, vm1)", "vm", false],
    ["id = vm1", "vm", true],
    ["kind=instance", "vm", true],
    ["kind=vms", "vm", true],
    ["kind=container", "vm", false],
    ["kind=container", "box", true],
    ["kind in (kvm, container)", "box", true],
    ["kind != host", "vm", true],
    ["driver=crun", "box", true],
    ["state in (stopped, failed)", "vm", true],
    ["state~^stop", "vm", true],
    ["state !~ stop", "vm", false],
    ["host=rack2-a", "vm", true],
    ["host!=alpha", "vm", true],
    ["host~RACK[0-9]-", "vm", true],
    ["mem=8GiB", "vm", true],
    ["mem>=8192", "vm", true],
    ["mem<8.5GiB", "vm", true],
    ["spec.memory_mib = 8GiB", "vm", true],
    ["cpus>2", "vm", true],
    ["ip=10.1.0.5", "vm", true],
    ["ip~^10[.]1[.]", "vm", true],
    ["lan=lan1", "vm", true],
    ["image~debian", "vm", true],
    ["has label.site", "vm", true],
    ["has labels.site and has qemu", "vm", true],
    ["labels has site", "vm", true],
    ["has label.owner", "vm", false],
    ["label.a.b/c=x", "vm", true],
    ["age>2h", "vm", true],
    ["age>3h1m", "vm", false],
    ["age<1d", "vm", true],
    ["age>1h", "box", false],
    ["cpu>80%", "vm", true],
    ["cpu>80", "vm", true],
    ["cpu>0.86", "vm", true],
    ["cpu>86%", "vm", false],
    ["cores>3", "vm", true],
    ["net.in>=2K", "vm", true],
    ["net-in>2KiB/s", "vm", false],
    ["cpu<90%", "box", false],
    ["link.rtt>20ms", "vm", true],
    ["link.rtt>30ms", "vm", false],
    ["link.state=active", "vm", true],
    ["rtt>20ms", "link", true],
    ["link.rtt>20ms", "link", true],
    ["loss>=25%", "link", true],
    ["loss>=.25", "link", true],
    ["host=alpha", "link", true],
    ["host=rack2-a and lan~lan1$", "link", true],
    ["mem>=64GiB and state=ready", "host", true],
    ["(name=vm1 or name=vm2) and not state=running", "vm", true],
    ["not (vm1 or vm2)", "vm", false],
  ])("%j of %s is %s", (query, thing, expected) => {
    expect(asks(query, thing)).toBe(expected);
  });

  it.each<[string, RegExp, string]>([
    ["stat=running", /"stat" is not a field; .*did you mean "state"\?/, "stat"],
    ["state=runing", /"runing" is not a value of state; did you mean RUNNING\?/, "runing"],
    ["vm1 and kind=kmv", /"kmv" is not a value of kind; did you mean kvm\?/, "kmv"],
    ["owner=ana", /a label is label\.owner/, "owner"],
    ["mem>4Gi8", /mem is compared with a number or a size such as/, "4Gi8"],
    ["cpu>80ms", /cpu is compared with .* such as 80%/, "80ms"],
    ["age>2", /age is compared with a time such as/, "2"],
    ['host~"("', /"\(" is not a regular expression/, '"("'],
    ["mem~4", /mem is no text/, "4"],
    ["mem>", /ends where a value was expected/, ""],
    ["a and and b", /unexpected "and" at column 7/, "and"],
    ["(vm1", /ends where "\)" was expected/, ""],
    ["vm1)", /unexpected "\)"/, ")"],
    ['"vm1', /the quotes are not closed/, '"'],
    ["vm1 limit 0", /a number from 1 on/, "0"],
    ["vm1 sort by", /ends where a field was expected/, ""],
  ])("%j is refused with the place", (query, message, marked) => {
    const { place } = refusal(query);
    expect(() => asks(query, "vm")).toThrow(message);
    if (marked !== "") expect(query.slice(place.from, place.to)).toBe(marked);
  });

  it("is shown with a line that points at what is wrong", () => {
    expect(pointAt("vm1 and kind=kmv", refusal("vm1 and kind=kmv"))).toEqual([
      "vm1 and kind=kmv",
      `${" ".repeat(13)}^^^`,
    ]);
    expect(pointAt("x", new Error("other"))).toBeUndefined();
  });

  it("of tables has colons in words, and values that are missing", () => {
    const options = { isField: (text: string) => text === "host" || text === "mem" };
    const words = (text: string) => parseQuery(text, options).tree;
    expect(words("52:54:00:a1")).toMatchObject({ type: "word", value: "52:54:00:a1" });
    expect(words("fe80::1")).toMatchObject({ type: "word", value: "fe80::1" });
    expect(words("host:al")).toMatchObject({ type: "comparison", operator: ":" });
    expect(words("host= web")).toMatchObject({ terms: [{ values: [{ text: "" }] }, { value: "web" }] });
    expect(words("mem > 4GiB")).toMatchObject({ operator: ">", values: [{ text: "4GiB" }] });
    expect(words("host=a=b:c")).toMatchObject({ values: [{ text: "a=b:c" }] });
  });
});

function refusal(query: string): QueryError {
  try {
    asks(query, "vm");
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
  throw new Error(`${query} is not refused`);
}

const place = { from: 0, to: 0 };
const text = fc.oneof(
  fc.constantFrom("and", "or", "*", "vm1", "10:20", "a b", "in", "limit", "sort", "has", ""),
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

it("nothing is measured where nobody measures", () => {
  expect(noFacts.figure("hosts/a", Figure.FIGURE_CPU)).toBeUndefined();
});

import { describe, expect, it } from "vitest";
import { allKinds, findRule, ruledMethods } from "../../../../lib/kinds/kinds.js";
import { noFacts } from "../../../../lib/query/facts.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import { pointAt, QueryError } from "../../../../lib/query/query-error.js";
import { findQueryField } from "../../../../lib/query/query-field.js";
import { sortReader } from "../../../../lib/query/sort-keys.js";
import { asks, type things } from "./things.js";

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
    ["host='rack2-a'", "vm", true],
    ["host ~ 'RACK[0-9]-' and id in ('vm2','vm1')", "vm", true],
    ["('paris')", "vm", true],
    ["'nowhere'", "vm", false],
    // Apostrophes.
    ["o'brien's", "vm", false],
    ["'tis", "vm", false],
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
    ["host='rack2 and vm1", /the quotes are not closed/, "'rack2"],
    ["host in ('rack2", /the quotes are not closed/, "'rack2"],
    ["host='a\\x'", /a backslash begins an escape/, "'a\\x'"],
    ["vm1 limit 0", /a number from 1 on/, "0"],
    ['vm1 label."a"b=x', /quote in the wrong place/, 'label."a"b'],
    ['"label.a\\"b"=x', /quote in the wrong place/, '"label.a\\"b"'],
    ['sort by label."a"b', /quote in the wrong place/, 'label."a"b'],
    ["vm1 sort by", /ends where a field was expected/, ""],
  ])("%j is refused with the place", (query, message, marked) => {
    const { place } = refusal(query);
    expect(() => asks(query, "vm")).toThrow(message);
    if (marked !== "") expect(query.slice(place.from, place.to)).toBe(marked);
  });

  it.each([
    [`'it\\'s "so"'`, `it's "so"`],
    [`'a\\"b\\\\'`, `a"b\\`],
    ["''", ""],
    ["'a:b = c'", "a:b = c"],
  ])("reads %s as what stands between the quotes", (text, value) => {
    const { tree } = parseQuery(`label.x = ${text}`);
    expect(tree).toMatchObject({ values: [{ text: value }] });
  });

  it("is shown with a line that points at what is wrong", () => {
    expect(pointAt("vm1 and kind=kmv", refusal("vm1 and kind=kmv"))).toEqual([
      "vm1 and kind=kmv",
      `${" ".repeat(13)}^^^`,
    ]);
    expect(pointAt("x", new Error("other"))).toBeUndefined();
  });

  it("takes a time that there is not for none", () => {
    const field = findQueryField("filter", "zor.v1.Instance", ["create_time"]);
    const read = sortReader("filter", field);
    const broken = { name: "hosts/a/instances/b", createTime: new Date(Number.NaN) };
    expect(read(field.read(broken, noFacts))).toBe("");
    expect(findQueryField("filter", "zor.v1.Instance", ["age"]).read(broken, noFacts)).toBeUndefined();
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

describe("what queries look at", () => {
  it("is what every viewer may read: nobody learns by a filter what he is not shown", () => {
    const lists = ruledMethods().filter((path) => /\/List[A-Z]/.test(path) && findRule(path)?.access === "viewer");
    const readable = new Set(lists.map((path) => /\.(\w+)Service\//.exec(path)?.[1]?.toLowerCase()));
    // Views and watches show all kinds to whoever may see any: one for others only must be left out there first.
    expect(
      allKinds()
        .map(({ singular }) => singular)
        .filter((kind) => !readable.has(kind)),
    ).toEqual([]);
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

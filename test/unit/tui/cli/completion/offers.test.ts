import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseQuery } from "../../../../../lib/query/parse.js";
import { namesAsTyped, queryOffers } from "../../../../../tui/cli/completion/query-offers.js";
import { selectedBy } from "../../../../../tui/cli/input/selector.js";
import { selectorOffers } from "../../../../../tui/cli/completion/selector-offers.js";

const known: Readonly<Record<string, readonly string[]>> = {
  labels: ["site", "a.b/c"],
  "label.site": ["paris", "new york", "a,b", "\u001b[2J"],
  'label."a.b/c"': ["x"],
  host: ["alpha"],
};
const ask = async (field: string) => known[field] ?? [];
const machines = { kinds: ["instance"] };

async function texts(text: string): Promise<string[]> {
  return (await queryOffers(text, machines, ask)).map((offer) => offer.text);
}

describe("what a query is gone on with", () => {
  it("is a whole query up to there; what cannot end is offered with what may follow", async () => {
    expect(await texts("kind=kvm and driv")).toEqual(
      expect.arrayContaining(["kind=kvm and driver=", "kind=kvm and driver~"]),
    );
    expect(await texts("state=runn")).toEqual(["state=running"]);
    expect(await texts("state in (runn")).toEqual(["state in (running,", "state in (running)"]);
    expect(await texts("vm1 an")).toEqual(expect.arrayContaining(["vm1 and name", "vm1 and host"]));
    expect(await texts("label.site=n")).toEqual(['label.site="new york"']);
    expect(await texts("label.si")).toContain("label.site=");
    expect(await texts("state=)")).toEqual([]);
  });

  it("shows only what is new, and nothing that a terminal would obey", async () => {
    const offers = await queryOffers("kind=kvm and label.site=", machines, ask);
    expect(offers.map(({ shown }) => shown)).toEqual(["paris", '"new york"', '"a,b"']);
    expect(offers.every(({ isBegun }) => isBegun !== true)).toBe(true);
  });

  it("may end where nothing says that it is only begun", async () => {
    const word = fc.constantFrom(
      "state",
      "=",
      "running",
      " ",
      " and ",
      " or ",
      "not ",
      "(",
      ")",
      "in (",
      ",",
      "sort by ",
      "host",
      "label.",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 8 }), async (words) => {
        for (const { text, isBegun } of await queryOffers(words.join(""), machines, ask)) {
          if (isBegun !== true) parseQuery(text);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("has names as they are typed", () => {
    const names = ["hosts/alpha/instances/vm1"];
    expect(namesAsTyped(names, "")).toEqual(["alpha/vm1", "vm1"]);
    expect(namesAsTyped(names, "alpha/")).toEqual(["alpha/vm1"]);
    expect(namesAsTyped(names, "hosts/a")).toEqual(names);
  });
});

describe("what a selector is gone on with", () => {
  it.each<[string, readonly string[]]>([
    ["", ["a.b/c", "site"]],
    ["s", ["site=", "site!=", "site in ("]],
    ["!s", ["!site"]],
    ["site=", ["site=paris"]],
    ["site!=p", ["site!=paris"]],
    ["site == p", ["site == paris"]],
    ["site in (x,p", ["site in (x,paris"]],
    ["site in (x,y),a", ["site in (x,y),a.b/c=", "site in (x,y),a.b/c!=", "site in (x,y),a.b/c in ("]],
    ["a.b/c=", ["a.b/c=x"]],
    ["site=x y", []],
  ])("%j: %j", async (text, wanted) => {
    const offers = await selectorOffers(text, ask);
    expect(offers.map((offer) => offer.text)).toEqual(wanted);
    for (const { text: whole, isBegun } of offers) if (isBegun !== true && !whole.includes("(")) selectedBy(whole);
  });

  it("takes no longer than it is long", async () => {
    for (const text of ["(".repeat(5000), ",".repeat(5000), "a(".repeat(3000), "(a)".repeat(3000)]) {
      await selectorOffers(text, ask);
    }
  });
});

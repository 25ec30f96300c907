import { describe, expect, it } from "vitest";
import { Kept } from "../../../lib/watch/kept.js";
import { KindIndex, type PageRange } from "../../../lib/watch/kind-index.js";

const kept = (name: string, text = "x") => Kept.ofText("lan", name, text);
/** Hosts whose names begin alike, and characters on both sides of "/". */
const hosts = ["a", "a-b", "a.b", "a0", "ab", "b"];
const names = hosts.flatMap((host) => ["l2", "l1", "l10", "l"].map((lan) => `hosts/${host}/lans/${lan}`));

function indexOf(all: readonly string[]): KindIndex {
  const index = new KindIndex();
  for (const name of all) index.set(kept(name));
  return index;
}

function pages(index: KindIndex, range: Partial<PageRange>): string[][] {
  const found: string[][] = [];
  let after = "";
  for (;;) {
    const { items, more } = index.page({ most: 5, mostBytes: 1e6, parent: "", ...range, after });
    found.push(items.map(({ name }) => name));
    after = items.at(-1)?.name ?? "";
    if (!more) return found;
  }
}

describe("an index of resources", () => {
  it("gives them page by page in the order of their names, whatever the order in which they came", () => {
    for (const most of [1, 3, 7, 100]) {
      for (const order of [names, names.toReversed(), names.toSorted()]) {
        expect(pages(indexOf(order), { most }).flat()).toEqual(names.toSorted());
      }
    }
  });

  it("begins after a name that is gone, also with all of its host", () => {
    const index = indexOf(names);
    for (const name of names.filter((each) => each.startsWith("hosts/a-b/"))) index.delete(name);
    const { items } = index.page({ after: "hosts/a-b/lans/l1", most: 1, mostBytes: 1e6, parent: "" });
    expect(items.map(({ name }) => name)).toEqual(["hosts/a.b/lans/l"]);
  });

  it("ends a page before it has too many bytes, but gives one at least", () => {
    const index = new KindIndex();
    for (const name of ["hosts/a/lans/l1", "hosts/a/lans/l2", "hosts/a/lans/l3"]) index.set(kept(name, "x".repeat(60)));
    expect(pages(index, { mostBytes: 130 }).map((page) => page.length)).toEqual([2, 1]);
    expect(pages(index, { mostBytes: 10 }).map((page) => page.length)).toEqual([1, 1, 1]);
  });

  it("tells what is below one parent from what is below others", () => {
    const index = indexOf(names);
    for (const host of hosts) {
      const own = names.filter((name) => name.startsWith(`hosts/${host}/`));
      expect([...index.all(`hosts/${host}`)].map(({ name }) => name)).toEqual(own);
      expect(index.count(`hosts/${host}`)).toBe(own.length);
      expect(pages(index, { parent: `hosts/${host}` }).flat()).toEqual(own.toSorted());
    }
    expect(index.count("hosts/c")).toBe(0);
    expect(index.size).toBe(names.length);
  });

  it("replaces and forgets", () => {
    const index = indexOf(names);
    index.set(kept("hosts/a/lans/l1", "new"));
    expect(index.size).toBe(names.length);
    expect(index.get("hosts/a/lans/l1")?.text).toBe("new");
    for (const name of names) {
      expect(index.delete(name)).toBe(true);
      expect(index.delete(name)).toBe(false);
    }
    expect(index.size).toBe(0);
    expect(pages(index, {})).toEqual([[]]);
  });
});

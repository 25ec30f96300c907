import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ListRequest, listPage } from "../../../lib/list/list.js";

/** As far as the lists below look at an instance. */
interface Item {
  readonly name: string;
  readonly spec: { readonly cpus: number };
}
const items: Item[] = Array.from({ length: 23 }, (_, index) => ({
  name: `item${String(index).padStart(2, "0")}`,
  spec: { cpus: index % 4 },
}));
const request = (change: Partial<ListRequest>): ListRequest => ({
  pageSize: 0,
  pageToken: "",
  filter: "",
  orderBy: "",
  ...change,
});
const page = (source: Item[], change: Partial<ListRequest>) => listPage(source, request(change), "zor.v1.Instance");

function allPages(source: () => Item[], change: Partial<ListRequest>): Item[] {
  const found: Item[] = [];
  let pageToken = "";
  do {
    const next = page(source(), { ...change, pageToken });
    found.push(...next.items);
    pageToken = next.nextPageToken;
  } while (pageToken !== "");
  return found;
}

describe("lists", () => {
  it("page through everything once, in order, whatever the page size and order", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom("", "name desc", "spec.cpus", "spec.cpus desc"),
        (pageSize, orderBy) => {
          const found = allPages(() => items, { pageSize, orderBy });
          expect(new Set(found.map((item) => item.name)).size).toBe(items.length);
          expect(found).toHaveLength(items.length);
          if (orderBy === "spec.cpus desc")
            expect(found.map((item) => item.spec.cpus)).toEqual(
              items.map((item) => item.spec.cpus).sort((a, b) => b - a),
            );
          if (orderBy === "") expect(found).toEqual(items);
        },
      ),
    );
  });

  it("neither repeat nor hide items when others come and go between pages", () => {
    let call = 0;
    const changing = (): Item[] => {
      call += 1;
      return call === 1
        ? items
        : [...items.filter((item) => item.name !== "item03"), { name: "item00a", spec: { cpus: 0 } }];
    };
    const names = allPages(changing, { pageSize: 5 }).map((item) => item.name);
    expect(names).toHaveLength(new Set(names).size);
    expect(names).toEqual(
      expect.arrayContaining(items.filter((item) => item.name > "item04").map((item) => item.name)),
    );
  });

  it("count what matches on all pages", () => {
    expect(page(items, { pageSize: 2, filter: "spec.cpus = 3" })).toMatchObject({
      totalSize: 5,
      items: [{ spec: { cpus: 3 } }, { spec: { cpus: 3 } }],
    });
  });

  it.each([
    [{ pageSize: -1 }, /^page_size/],
    [{ orderBy: "name; drop" }, /^order_by/],
    [{ pageToken: "nonsense" }, /^page_token/],
    [{ filter: "spec.cpus = 1", pageToken: page(items, { pageSize: 1 }).nextPageToken }, /^page_token/],
  ])("refuse %j", (change, message) => {
    expect(() => page(items, change)).toThrow(message);
  });
});

import { describe, expect, it } from "vitest";
import { Inventory } from "../../../../hub/kit/inventory.js";
import { ListAnswers } from "../../../../hub/kit/kept-items.js";
import { Lister } from "../../../../hub/kit/lister.js";
import { Frames } from "../../../../lib/grpc/frames.js";
import { type AnyMethod, findService } from "../../../../lib/kinds/codecs.js";
import { type ListRequest, listPage } from "../../../../lib/list/list.js";
import { Instance, InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { ListInstancesResponse } from "../../../../proto/gen/zor/v1/instance_service.js";

/** Enough for work in several parts, in no order. */
const all = Array.from({ length: 5000 }, (_, at) =>
  Instance.fromPartial({
    name: `hosts/h${at % 7}/instances/vm${(at * 7919) % 5000}`,
    spec: { cpus: (at * 31) % 64 },
    status: { state: at % 3 === 0 ? InstanceState.INSTANCE_STATE_RUNNING : InstanceState.INSTANCE_STATE_STOPPED },
  }),
);
const method = listMethod();

function listMethod(): AnyMethod {
  const found = findService("zor.v1.InstanceService")?.["listInstances"];
  if (found === undefined) throw new Error("there is no such method");
  return found;
}

function world() {
  const inventory = new Inventory();
  for (const value of all) inventory.upsert({ kind: "instance", value });
  const lister = new Lister({ unreachable: () => [] }, inventory);
  const answers = new ListAnswers();
  /** A page as a client gets it. */
  const page = async (host: string, change: Partial<ListRequest>) => {
    const request = { pageSize: 0, pageToken: "", filter: "", orderBy: "", ...change };
    const list = answers.wrap(method, async () => {
      const { items, ...rest } = await lister.kept({ kind: "instance", host, request, caller: "zor://user/ana" });
      return { ...rest, instances: items };
    });
    // Neither request nor context are looked at.
    const frames = await list(undefined as never, undefined as never);
    if (!(frames instanceof Frames)) throw new Error("the answer is not framed");
    expect(frames.bytes.readUInt32BE(1)).toBe(frames.bytes.length - 5);
    const answer = ListInstancesResponse.decode(frames.bytes.subarray(5));
    frames.onSent?.();
    return answer;
  };
  const pages = async (host: string, change: Partial<ListRequest>, between: () => void = () => undefined) => {
    const found: ListInstancesResponse[] = [];
    for (let pageToken = ""; ; pageToken = found.at(-1)?.nextPageToken ?? "") {
      found.push(await page(host, { ...change, pageToken }));
      if (found.at(-1)?.nextPageToken === "") return found;
      between();
    }
  };
  return { inventory, page, pages };
}

const names = (found: readonly ListInstancesResponse[]): string[] =>
  found.flatMap(({ instances }) => instances.map(({ name }) => name));

describe("a list of what the hub keeps", () => {
  it.each([
    ["-", "", ""],
    ["h3", "", ""],
    ["-", "", "name desc"],
    ["-", "", "spec.cpus desc"],
    ["-", "status.state = RUNNING", ""],
    ["h3", "spec.cpus > 30 AND vm1", "spec.cpus"],
    ["-", "spec.cpus = 1000", ""],
  ])(
    "of %j, filtered by %j, in the order %j is the one that listing the objects gives",
    async (host, filter, orderBy) => {
      const { pages } = world();
      const wanted = host === "-" ? all : all.filter(({ name }) => name.startsWith(`hosts/${host}/`));
      const request = { pageSize: 5000, pageToken: "", filter, orderBy };
      const expected = listPage(wanted, request, "zor.v1.Instance");
      const found = await pages(host, { filter, orderBy, pageSize: 333 });
      expect(names(found)).toEqual(expected.items.map(({ name }) => name));
      expect(found.flatMap(({ instances }) => instances)).toEqual(expected.items);
      for (const { totalSize } of found) expect(totalSize).toBe(expected.totalSize);
    },
  );

  it.each(["", "spec.cpus"])("in the order %j neither repeats nor hides when others come and go", async (orderBy) => {
    const { inventory, pages } = world();
    const gone = new Set<string>();
    let turn = 0;
    const found = await pages("-", { orderBy, pageSize: 700 }, () => {
      const leaving = all[turn * 501]?.name ?? "";
      gone.add(leaving);
      inventory.log.remove("instance", leaving);
      inventory.upsert({ kind: "instance", value: Instance.fromPartial({ name: `hosts/h1/instances/new${turn}` }) });
      turn += 1;
    });
    const listed = names(found);
    expect(new Set(listed).size).toBe(listed.length);
    for (const { name } of all) if (!gone.has(name)) expect(listed).toContain(name);
  });

  it("is one list for each reader, whatever else is read and however its order changes meanwhile", async () => {
    const { inventory, page } = world();
    const orderBy = "spec.cpus desc, name";
    const found = [await page("-", { orderBy, pageSize: 1000 })];
    while (found.at(-1)?.nextPageToken !== "") {
      // What is first becomes last, and last first; somebody else reads the same from the beginning.
      for (const { name, spec } of all.filter((_, at) => at % 3 === found.length % 3)) {
        const value = Instance.fromPartial({ name, spec: { cpus: 63 - (spec?.cpus ?? 0) } });
        inventory.upsert({ kind: "instance", value });
      }
      await page("-", { orderBy, pageSize: 1000 });
      found.push(await page("-", { orderBy, pageSize: 1000, pageToken: found.at(-1)?.nextPageToken ?? "" }));
    }
    expect(names(found)).toEqual(
      listPage(all, { orderBy, pageSize: 5000, pageToken: "", filter: "" }, "zor.v1.Instance").items.map(
        ({ name }) => name,
      ),
    );
  });

  it("gives no page that is too large to be sent", async () => {
    const inventory = new Inventory();
    const lister = new Lister({ unreachable: () => [] }, inventory);
    for (let at = 0; at < 60; at += 1) {
      const value = Instance.fromPartial({ name: `hosts/h/instances/vm${at}`, labels: { a: "x".repeat(200_000) } });
      inventory.upsert({ kind: "instance", value });
    }
    for (const orderBy of ["", "name desc"]) {
      const request = { pageSize: 0, pageToken: "", filter: "", orderBy };
      const { items, nextPageToken } = await lister.kept({ kind: "instance", host: "-", request, caller: "a" });
      expect(items.all.length).toBeLessThan(25);
      expect(items.all.length).toBeGreaterThan(15);
      expect(nextPageToken).not.toBe("");
    }
  });
});

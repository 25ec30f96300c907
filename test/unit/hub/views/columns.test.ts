import { expect, it, onTestFinished } from "vitest";
import { noFigures } from "../../../../hub/views/no-figures.js";
import { Views } from "../../../../hub/views/views.js";
import { parseQuery } from "../../../../lib/query/parse.js";
import { encode, Kept } from "../../../../lib/watch/kept.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import { WatchViewRequest, type WatchViewResponse } from "../../../../proto/gen/zor/v1/view_service.js";

const { ROLE_VIEWER: viewer, ROLE_OPERATOR: operator } = Role;
const labels = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `label.x${from + at}`);

/** Views of one instance, with a label x1, and what opens one for good. */
function world({ count = 1, mostRows = 1000 } = {}) {
  const log = new WatchLog();
  for (let at = 1; at <= count; at += 1) {
    const value = Instance.fromPartial({ name: `hosts/alpha/instances/vm${at}`, labels: { x1: "one", x3: "three" } });
    log.put(Kept.ofText("instance", value.name, encode("instance", value)), value);
  }
  const views = new Views({ log, facts: noFigures, mostRows });
  onTestFinished(() => views.close());
  const open = async (
    [id, role]: readonly [string, Role],
    change: Partial<WatchViewRequest>,
  ): Promise<{ readonly first: WatchViewResponse; readonly end: () => Promise<void> }> => {
    const ending = new AbortController();
    const request = WatchViewRequest.fromPartial({ kinds: ["instance"], ...change });
    const stream = views.watch(request, { caller: `zor://user/${id}`, role, signal: ending.signal });
    const end = async (): Promise<void> => {
      ending.abort();
      await stream.return(undefined);
    };
    onTestFinished(end);
    const { value: first, done } = await stream.next();
    if (done === true) throw new Error("the view has ended");
    return { first, end };
  };
  return { views, open };
}

const textsOf = ({ rows }: WatchViewResponse): unknown[] =>
  rows.flatMap(({ values }) => values.map((v) => v.value?.value));

it("viewers, each and all together, leave operators room for what they look at", async () => {
  const { open } = world();
  const tooMany = { reason: "TOO_MANY_FIELDS" };
  for (const from of [0, 32, 64]) await open(["eve", viewer], { query: `text~v${from}`, columns: labels(from, 32) });
  await expect(open(["eve", viewer], { columns: labels(96, 1) })).rejects.toMatchObject({
    ...tooMany,
    message: expect.stringMatching(/zor:\/\/user\/eve look at 96 fields.*close some/),
  });
  // What she has is not refused her.
  await open(["eve", viewer], { columns: labels(0, 32) });

  await open(["mallory", viewer], { query: "text~m", columns: labels(1000, 32) });
  await expect(open(["trent", viewer], { columns: labels(2000, 1) })).rejects.toMatchObject(tooMany);
  for (const from of [3000, 3032, 3064])
    await open(["ana", operator], { query: `text~o${from}`, columns: labels(from, 32) });
  // Of lists, what finds no room looks at everything.
  const { views } = world();
  const query = parseQuery(
    labels(0, 30)
      .map((label) => `${label}=""`)
      .join(" or "),
    { where: "filter" },
  );
  const found = await views.tables.find({ kind: "instance", parent: "", query, caller: "zor://user/eve" });
  expect(found?.map(({ name }) => name)).toEqual(["hosts/alpha/instances/vm1"]);
});

it("a column that nobody reads makes room, and another in its place has values of its own", async () => {
  const { open, views } = world();
  const table = views.tables.of("instance");
  for (let from = 0; from < 960; from += 32) {
    const query = { kind: "instance", parent: "", caller: "zor://user/eve" };
    const filter = labels(from, 32)
      .map((label) => `${label}="one"`)
      .join(" or ");
    const found = await views.tables.find({ ...query, query: parseQuery(filter, { where: "filter" }) });
    expect(found?.length).toBe(from === 0 ? 1 : 0);
  }
  const { first } = await open(["ana", operator], { columns: ["label.x1", "label.x2", "label.x3", "state"] });
  expect(textsOf(first)).toEqual(["one", undefined, "three", expect.any(String)]);
  table.forgetIdle(performance.now() + 1);
  const { first: again } = await open(["bob", viewer], { columns: ["label.x3", "label.x700", "label.x1"] });
  expect(textsOf(again)).toEqual(["three", undefined, "one"]);
});

it("whoever asks the same as somebody else with other columns gets them", async () => {
  const { open } = world();
  await open(["ana", operator], { columns: ["name"] });
  const { first } = await open(["bob", viewer], { columns: ["label.x3"] });
  expect(textsOf(first)).toEqual(["three"]);
});

it("nobody has more rows kept in order than a caller may, however often views are opened and closed", async () => {
  const { open } = world({ count: 100, mostRows: 500 });
  const sorted = (by: string) => ({ query: `sort by label.${by}`, limit: 1 });
  // Each has an order of its own, and all rows of it.
  const first = await open(["eve", viewer], sorted("x1"));
  await open(["eve", viewer], sorted("x2"));
  await open(["eve", viewer], sorted("x3"));
  await expect(open(["eve", viewer], sorted("x4"))).rejects.toMatchObject({
    reason: "TOO_MANY_ROWS",
    message: expect.stringMatching(/zor:\/\/user\/eve look at 600 rows already.*close some/),
  });
  await open(["bob", viewer], sorted("x4"));
  await first.end();
  for (let at = 10; at < 20; at += 1) await (await open(["eve", viewer], sorted(`x${at}`))).end();
});

it("one view of everything is had by everybody", async () => {
  const { open } = world({ count: 100, mostRows: 10 });
  const { first } = await open(["eve", viewer], {});
  expect(first.totals?.matched).toBe(100);
});

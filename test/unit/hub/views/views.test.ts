import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Entry, Selection } from "../../../../hub/views/ordering.js";
import type { Row, RowTable } from "../../../../hub/views/row-table.js";
import type { FactSource } from "../../../../hub/views/tables.js";
import { Views } from "../../../../hub/views/views.js";
import { ZorError } from "../../../../lib/errors.js";
import { unpack } from "../../../../lib/kinds/resource.js";
import { OrderedRows } from "../../../../lib/list/ordered-rows.js";
import { encode, Kept } from "../../../../lib/watch/kept.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance, InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import { WatchViewRequest, type WatchViewResponse } from "../../../../proto/gen/zor/v1/view_service.js";

const states = [
  InstanceState.INSTANCE_STATE_RUNNING,
  InstanceState.INSTANCE_STATE_STOPPED,
  InstanceState.INSTANCE_STATE_FAILED,
];

function instance(at: number, change: { readonly state?: InstanceState; readonly cpus?: number } = {}): Instance {
  const { state = states[at % 3] ?? 0, cpus = (at * 31) % 64 } = change;
  return Instance.fromPartial({
    name: `hosts/h${at % 7}/instances/vm${at}`,
    labels: at % 2 === 0 ? { site: "paris" } : {},
    spec: { cpus, memoryMib: BigInt(at % 9) * 1024n },
    status: { state },
  });
}

/** A hub's views over resources and figures of the test's own. */
function world(count = 0) {
  const log = new WatchLog();
  const cpu = new Map<string, number>();
  const listeners: ((name: string) => void)[] = [];
  const held = { now: 0, ever: 0 };
  const facts: FactSource = {
    nowMs: () => Date.parse("2026-03-01"),
    figure: (name, figure) => (figure === Figure.FIGURE_CPU_OF_LIMIT ? cpu.get(name) : undefined),
    links: () => [],
    hold: async () => {
      held.now += 1;
      held.ever += 1;
      return () => {
        held.now -= 1;
      };
    },
    onFigure: (listener) => void listeners.push(listener),
  };
  // As a hub keeps what agents tell: as bytes.
  const put = (value: Instance): void => log.put(Kept.ofText("instance", value.name, encode("instance", value)), value);
  for (let at = 0; at < count; at += 1) put(instance(at));
  const views = new Views({ log, facts });
  onTestFinished(() => views.close());
  const measure = (name: string, permille: number): void => {
    cpu.set(name, permille);
    for (const listener of listeners) listener(name);
  };
  return { log, views, put, measure, held };
}

/** A reader as clients are: it keeps what it was told. */
function reader(views: Views, change: Partial<WatchViewRequest>) {
  const ending = new AbortController();
  const request = WatchViewRequest.fromPartial({
    kinds: ["instance"],
    interval: { seconds: 0n, nanos: 50_000_000 },
    ...change,
  });
  const stream = views.watch(request, { caller: "zor://user/ana", role: Role.ROLE_VIEWER, signal: ending.signal });
  const state = {
    rows: [] as string[],
    known: new Map<string, Instance>(),
    values: new Map<string, readonly unknown[]>(),
    matched: 0,
    total: 0,
    states: {} as Record<string, number>,
    kinds: {} as Record<string, number>,
    offset: 0,
    sent: [] as WatchViewResponse[],
  };
  const take = (response: WatchViewResponse): void => {
    state.sent.push(response);
    for (const { index, name, resource, values } of response.rows) {
      state.rows[index] = name;
      const unpacked = resource === undefined ? undefined : unpack(resource);
      if (unpacked !== undefined) state.known.set(name, unpacked.value as Instance);
      if (values.length > 0)
        state.values.set(
          name,
          values.map(({ value }) => value?.value),
        );
      // A row that is told without its resource is one that the reader has.
      if (!state.known.has(name)) throw new Error(`${name} was not told`);
    }
    state.rows.length = response.length;
    state.offset = response.offset;
    for (const name of state.known.keys()) if (!state.rows.includes(name)) state.known.delete(name);
    if (response.totals !== undefined) Object.assign(state, response.totals);
  };
  const next = async (): Promise<void> => {
    const { value, done } = await stream.next();
    if (done !== true) take(value);
  };
  /** Reads until something is so. */
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await next();
  };
  const end = async (): Promise<void> => {
    ending.abort();
    await stream.return(undefined);
  };
  onTestFinished(end);
  return { state, next, until, end };
}

const ids = (rows: readonly string[]): string[] => rows.map((name) => name.slice(name.lastIndexOf("/") + 1));

describe("a view", () => {
  it("tells the window, and how many there are in which states", async () => {
    const { views } = world(100);
    const { state, next } = reader(views, {
      query: "state=running and label.site=paris sort by cpus desc",
      limit: 5,
      offset: 2,
    });
    await next();
    const expected = Array.from({ length: 100 }, (_, at) => instance(at))
      .filter(({ status, labels }) => status?.state === states[0] && labels["site"] === "paris")
      .sort((left, right) => (right.spec?.cpus ?? 0) - (left.spec?.cpus ?? 0) || (left.name < right.name ? -1 : 1));
    expect(state.rows).toEqual(expected.slice(2, 7).map(({ name }) => name));
    expect([...state.known.values()]).toEqual(expected.slice(2, 7));
    expect(state).toMatchObject({ matched: expected.length, total: 100, offset: 2 });
    expect(state.states).toEqual({ RUNNING: expected.length });
    expect(state.kinds).toEqual({ instance: expected.length });
  });

  it("follows what is changed, made and removed, and tells no more than that", async () => {
    const { views, put, log } = world(50);
    const { state, next, until } = reader(views, { query: "sort by cpus desc, name", limit: 10 });
    await next();
    put(instance(7, { cpus: 99 }));
    await until(() => state.rows[0]?.endsWith("/vm7") === true);
    const { rows } = state.sent.at(-1) ?? { rows: [] };
    // All moved one place, and none but the new one is sent.
    expect(rows.filter(({ resource }) => resource !== undefined).map(({ name }) => name)).toEqual([
      "hosts/h0/instances/vm7",
    ]);
    log.remove("instance", "hosts/h0/instances/vm7");
    await until(() => state.rows[0]?.endsWith("/vm7") === false);
    expect(state).toMatchObject({ matched: 49, total: 49 });
    put(instance(1000, { cpus: 1000 }));
    await until(() => state.rows[0] === "hosts/h6/instances/vm1000");
    put(instance(1000, { cpus: 1000, state: InstanceState.INSTANCE_STATE_PAUSED }));
    await until(() => state.states["PAUSED"] === 1);
    expect(state.known.get("hosts/h6/instances/vm1000")?.status?.state).toBe(InstanceState.INSTANCE_STATE_PAUSED);
  });

  it("is sorted by what is measured, which comes with the rows", async () => {
    const { views, measure, held } = world(30);
    const { state, next, until, end } = reader(views, {
      query: "cpu>10% sort by cpu desc",
      columns: ["cpu", "host"],
      limit: 3,
    });
    await next();
    expect(state).toMatchObject({ matched: 0, total: 30, rows: [] });
    measure("hosts/h1/instances/vm1", 500);
    measure("hosts/h2/instances/vm2", 700);
    measure("hosts/h3/instances/vm3", 50);
    await until(() => state.matched === 2);
    expect(ids(state.rows)).toEqual(["vm2", "vm1"]);
    measure("hosts/h1/instances/vm1", 900);
    await until(() => ids(state.rows)[0] === "vm1");
    expect(state.values.get("hosts/h1/instances/vm1")).toEqual([90, "h1"]);
    expect(held.now).toBe(1);
    await end();
    expect(held).toEqual({ now: 0, ever: 1 });
  });

  it("has values of columns that nobody asked for before, of rows that somebody looks at already", async () => {
    const { views } = world(5);
    const first = reader(views, {});
    await first.next();
    const second = reader(views, { columns: ["label.site"] });
    await second.next();
    expect(second.state.values.get("hosts/h2/instances/vm2")).toEqual(["paris"]);
    await Promise.all([first.end(), second.end()]);
  });

  it("sums columns of numbers up, over all that the query asks for", async () => {
    const { views, put, measure } = world(30);
    const all = Array.from({ length: 30 }, (_, at) => instance(at));
    const sumOf = (found: readonly Instance[]): number => found.reduce((sum, { spec }) => sum + (spec?.cpus ?? 0), 0);
    const running = all.filter(({ status }) => status?.state === InstanceState.INSTANCE_STATE_RUNNING);
    measure("hosts/h0/instances/vm0", 500);
    const { state, until } = reader(views, { query: "state=running", sums: ["cpus", "cpu"], limit: 1 });
    const sums = (): Readonly<Record<string, number>> =>
      state.sent.findLast(({ totals }) => totals)?.totals?.sums ?? {};
    await until(() => sums()["cpus"] === sumOf(running) && sums()["cpu"] === 50);
    put(instance(3, { cpus: 1000 }));
    await until(() => sums()["cpus"] === sumOf(running) - (all[3]?.spec?.cpus ?? 0) + 1000);
    measure("hosts/h3/instances/vm3", 250);
    await until(() => sums()["cpu"] === 75);
    expect(state.sent.flatMap(({ rows }) => rows)).toHaveLength(1);
    for (const [given, says] of [
      [["nonsense"], /sums/],
      [["image"], /sums: "image" of instance is not a number/],
      [Array.from({ length: 9 }, () => "cpus"), /sums: are more than 8/],
    ] as const)
      await expect(reader(views, { sums: [...given] }).next()).rejects.toThrow(says);
    await expect(reader(views, { kinds: [], sums: ["nonsense"] }).next()).rejects.toThrow(/sums.*no kind has a field/);
  });

  it("follows its anchor", async () => {
    const { views, put } = world(60);
    const anchor = "hosts/h5/instances/vm5";
    const { state, next, until } = reader(views, { query: "sort by cpus", anchor, offset: -2, limit: 5 });
    await next();
    expect(state.rows[2]).toBe(anchor);
    put(instance(5, { cpus: 40 }));
    await until(() => state.rows[2] === anchor && state.known.get(anchor)?.spec?.cpus === 40);
    put(instance(2000, { cpus: 0 }));
    const before = state.offset;
    await until(() => state.offset === before + 1);
    expect(state.rows[2]).toBe(anchor);
  });

  it("goes on where a reader was, with what has changed since", async () => {
    const { views, put } = world(40);
    const first = reader(views, { query: "sort by name", limit: 20 });
    await first.next();
    const position = first.state.sent.at(-1)?.position;
    await first.end();
    const changed = first.state.rows[3] ?? "";
    put(instance(Number(/\d+$/.exec(changed)?.[0]), { cpus: 63 }));
    const second = reader(views, { query: "sort by name", limit: 20, position, known: first.state.rows });
    second.state.known = new Map(first.state.known);
    await second.next();
    const { rows = [] } = second.state.sent[0] ?? {};
    expect(rows.flatMap(({ name, resource }) => (resource === undefined ? [] : [name]))).toEqual([changed]);
    expect(second.state.rows).toEqual(first.state.rows);
    const other = reader(views, { limit: 5, position: { epoch: "other", revision: 1n }, known: first.state.rows });
    await other.next();
    expect(other.state.sent[0]?.rows.every(({ resource }) => resource !== undefined)).toBe(true);
  });

  it("goes over several kinds, and sends the fields that are asked for", async () => {
    const { views, log } = world(5);
    log.upsert({
      kind: "host",
      value: Host.fromPartial({ name: "hosts/h1", reason: "paris", labels: { site: "paris" } }),
    });
    const { state, next } = reader(views, {
      kinds: ["host", "instance"],
      query: "label.site=paris",
      fields: ["status.state"],
    });
    await next();
    expect(ids(state.rows).sort()).toEqual(["h1", "vm0", "vm2", "vm4"]);
    expect(state.kinds).toEqual({ host: 1, instance: 3 });
    const sent = state.known.get("hosts/h2/instances/vm2");
    expect(sent).toEqual(Instance.fromPartial({ name: "hosts/h2/instances/vm2", status: { state: states[2] ?? 0 } }));
    const mem = reader(views, { kinds: ["host", "instance"], query: "cpus>60 or kind=host", parent: "hosts/h1" });
    await mem.next();
    expect(ids(mem.state.rows)).toEqual(["h1"]);
    expect(mem.state.total).toBe(1);
  });

  it.each<[() => Partial<WatchViewRequest>, RegExp]>([
    [() => ({ kinds: ["nothing"] }), /^kinds/],
    [() => ({ query: "sate=running" }), /^query: "sate" is not a field/],
    [() => ({ query: "state=runing" }), /^query: .*did you mean RUNNING/],
    [() => ({ query: "a and" }), /^query: /],
    [() => ({ orderBy: "labels" }), /^order_by: labels is not one value/],
    [() => ({ orderBy: "name nonsense" }), /^order_by: /],
    [() => ({ columns: ["nonsense"] }), /^columns: /],
    [() => ({ kinds: ["host", "instance"], columns: ["nonsense"] }), /^columns: /],
    [() => ({ fields: ["spec.nonsense"] }), /^fields: /],
    [() => ({ limit: 1001 }), /^limit/],
    [() => ({ offset: -1 }), /^offset/],
    [() => ({ parent: "no name" }), /^parent/],
    [() => ({ anchor: "no name" }), /^anchor/],
    [() => ({ known: ["no name"] }), /^known/],
    [() => ({ interval: { seconds: 100n, nanos: 0 } }), /^interval/],
  ])("of %s is refused", async (change, message) => {
    const { views } = world(1);
    const failure = await reader(views, change())
      .next()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ZorError);
    expect((failure as ZorError).message).toMatch(message);
  });

  it("is one of no more than a caller may have", async () => {
    const { views } = world(1);
    const open = Array.from({ length: 64 }, () => reader(views, {}));
    for (const { next } of open) await next();
    await expect(reader(views, {}).next()).rejects.toThrow(/64 of one caller/);
    await open[0]?.end();
    await reader(views, {}).next();
  });

  it("ends for its readers alone when looking at a row fails", async () => {
    const selection = new Selection(() => {
      throw new Error("given up");
    });
    selection.begin([], new OrderedRows<Entry>(() => 0, []), () => undefined).next();
    selection.check();
    // Of a row nothing is looked at but what is thrown.
    const row = { isGone: false } as Row;
    const news = selection.changed(selection.version, new AbortController().signal);
    selection.take(row, { row, keys: [], state: "" });
    selection.told();
    await news;
    expect(() => selection.check()).toThrow("given up");
  });

  it("lets others go first while it takes many rows, and misses none that changes then", () => {
    const compare = (left: Entry, right: Entry): number => Number(left.keys[0]) - Number(right.keys[0]);
    const table = { kind: "instance" } as RowTable;
    const picked = Array.from({ length: 5000 }, (_, at): Entry => {
      const row: Row = { table, name: `${at}`, isGone: false } as Row;
      return { row, keys: [at], state: "running" };
    });
    const selection = new Selection(() => true);
    const last = picked[4999];
    if (last === undefined) throw new Error("there are 5000");
    const moved: Entry = { ...last, keys: [-1] };
    const work = selection.begin(picked, new OrderedRows(compare, picked), (row) =>
      row === last.row ? moved : undefined,
    );
    let parts = 0;
    while (work.next().done !== true) {
      parts += 1;
      if (parts !== 2) continue;
      // Nothing is shown before all of it is known.
      expect(selection.size).toBe(0);
      selection.take(last.row, moved);
    }
    expect(parts).toBeGreaterThan(5);
    expect(selection.size).toBe(5000);
    expect(selection.slice(0, 1)).toEqual([moved]);
    expect(selection.counts.states).toEqual(new Map([["running", 5000]]));
  });

  it("is at any time what sorting everything anew gives", async () => {
    const step = fc.record({
      at: fc.integer({ min: 0, max: 400 }),
      what: fc.constantFrom("put", "put", "measure", "remove"),
      cpus: fc.integer({ min: 0, max: 5 }),
      state: fc.constantFrom(...states),
    });
    const queries = [
      "state=running sort by cpus desc, cpu",
      "cpu>2% sort by cpu desc",
      "not host=h1 sort by state, mem desc limit 9",
      "host in (h1, h2) and cpus>2",
      "",
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.constantFrom(...queries), async (steps, query) => {
        const { views, put, measure, log } = world(300);
        const { state, next, until, end } = reader(views, { query, limit: 12 });
        await next();
        for (const { at, what, cpus, state: each } of steps) {
          const { name } = instance(at);
          if (what === "put") put(instance(at, { cpus, state: each }));
          else if (what === "measure") measure(name, cpus * 10);
          else log.remove("instance", name);
        }
        // Another reader of another order begins with everything as it is now.
        const fresh = reader(views, { query, orderBy: query === "" ? "name" : "", limit: 12 });
        await fresh.next();
        const said = ({ rows, matched, states: each }: typeof state): string => JSON.stringify([rows, matched, each]);
        await until(() => said(state) === said(fresh.state));
        const other = new Views({ log });
        if (!query.includes("cpu>") && !query.includes(", cpu")) {
          const whole = reader(other, { query, limit: 12 });
          await whole.next();
          expect(state.rows).toEqual(whole.state.rows);
          expect(state.states).toEqual(whole.state.states);
          await whole.end();
        }
        other.close();
        await fresh.end();
        await end();
        views.close();
      }),
      { numRuns: 12 },
    );
  });
});

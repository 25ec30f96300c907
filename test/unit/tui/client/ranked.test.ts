import { expect, onTestFinished, test } from "vitest";
import type { FactSource } from "../../../../hub/views/tables.js";
import { Views } from "../../../../hub/views/views.js";
import { unavailable } from "../../../../lib/errors.js";
import type { Calls } from "../../../../lib/grpc/connection.js";
import { encode, Kept } from "../../../../lib/watch/kept.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import type { WatchViewRequest } from "../../../../proto/gen/zor/v1/view_service.js";
import { watchRanked } from "../../../../tui/client/ranked.js";
import { topViews } from "../../../../tui/kit/top/views.js";
import { type Ranked, type RankLook, rankedOf } from "../../../../tui/kit/usage/ranking.js";
import { eventually } from "../../../helpers/eventually.js";

const { FIGURE_CPU_OF_LIMIT: share, FIGURE_MEMORY: memory, FIGURE_LOAD: load } = Figure;
const nameOf = (at: number): string => `hosts/h${at % 3}/instances/vm${at}`;

/** A hub with its own views, of 300 instances on three hosts. */
function world() {
  const log = new WatchLog();
  const measured = new Map<string, Map<Figure, number>>();
  const listeners: ((name: string) => void)[] = [];
  const facts: FactSource = {
    nowMs: () => 0,
    figure: (name, figure) => measured.get(name)?.get(figure),
    links: () => [],
    hold: async () => () => undefined,
    onFigure: (listener) => void listeners.push(listener),
  };
  for (let at = 0; at < 300; at += 1) {
    const instance = Instance.fromPartial({ name: nameOf(at) });
    log.put(Kept.ofText("instance", instance.name, encode("instance", instance)), instance);
  }
  for (let at = 0; at < 3; at += 1) {
    const host = Host.fromPartial({ name: `hosts/h${at}`, summary: { loadAverage: at + 0.5 } });
    log.put(Kept.ofText("host", host.name, encode("host", host)), host);
  }
  const views = new Views({ log, facts });
  onTestFinished(() => views.close());
  const measure = (name: string, values: readonly (readonly [Figure, number])[]): void => {
    measured.set(name, new Map(values));
    for (const listener of listeners) listener(name);
  };
  const cut = { failure: new AbortController() };
  const connection: Pick<Calls, "stream"> = {
    stream: async function* (_: unknown, request: WatchViewRequest, { signal }: { signal: AbortSignal }) {
      const soon = { ...request, interval: { seconds: 0n, nanos: 50_000_000 } };
      const stop = AbortSignal.any([signal, cut.failure.signal]);
      yield* views.watch(soon, { caller: "zor://user/ana", role: Role.ROLE_VIEWER, signal: stop });
      if (!signal.aborted) throw unavailable("LOST", "", "it was cut");
    } as unknown as Calls["stream"],
  };
  const all = () =>
    [...measured].map(([name, values]) => ({ host: name.slice(0, 8), name, part: "", values: new Map(values) }));
  return { measure, connection: connection as Calls, cut, all };
}

const usual: RankLook = {
  ...{ kind: "instance", parent: "", query: "", text: "", figures: [share, memory], anchor: "", from: 0, count: 5 },
  order: [{ figure: share, descending: true }],
};

function look(connection: Calls, change: Partial<RankLook>): { now: () => Ranked | undefined } {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  let seen: Ranked | undefined;
  const onNews = (ranked: Ranked): void => {
    seen = ranked;
  };
  void watchRanked(connection, { ...usual, ...change }, { signal: ending.signal, onNews });
  return { now: () => seen };
}

test.each<[string, Partial<RankLook>]>([
  ["the first ones", {}],
  ["those in the middle", { from: 100 }],
  ["the least first", { order: [{ figure: memory, descending: false }] }],
  [
    "by two figures",
    {
      order: [
        { figure: memory, descending: true },
        { figure: share, descending: false },
      ],
    },
  ],
  ["by names, the last first", { order: [{ figure: undefined, descending: true }] }],
  ["those of a host", { parent: "hosts/h1" }],
  ["those with a text in the name", { text: "vm12" }],
  ["those with a text in the name of the host", { text: "h2" }],
  ["those with a host and a part of the name", { text: "h2/vm1" }],
  ["those around one", { anchor: nameOf(50), from: -2 }],
])("%s are those that whoever has everything would show", async (_, change) => {
  const { measure, connection, all } = world();
  for (let at = 0; at < 300; at += 1)
    measure(nameOf(at), [
      [share, (at * 7) % 500],
      [memory, (at % 10) * 4096],
    ]);
  const { now } = look(connection, change);
  await eventually(() => expect(now()).toEqual(rankedOf(all(), { ...usual, ...change }, "")));
});

test("what changes moves, what is not measured any more comes last, and what is lost is told with what was known", async () => {
  const { measure, connection, cut } = world();
  for (let at = 0; at < 300; at += 1) measure(nameOf(at), [[share, at]]);
  const { now } = look(connection, {});
  const names = () => now()?.rows.map(({ name }) => name.split("/").at(-1));
  await eventually(() => expect(names()).toEqual(["vm299", "vm298", "vm297", "vm296", "vm295"]));
  measure(nameOf(3), [[share, 400]]);
  measure(nameOf(298), []);
  await eventually(() => expect(names()).toEqual(["vm3", "vm299", "vm297", "vm296", "vm295"]));
  expect(now()?.rows[0]?.values.get(share)).toBeCloseTo(400, 6);
  expect(now()?.total).toBe(300);
  const lost = cut.failure;
  cut.failure = new AbortController();
  lost.abort();
  await eventually(() => expect(now()?.trouble).toContain("it was cut"));
  expect(names()).toHaveLength(5);
  measure(nameOf(4), [[share, 450]]);
  await eventually(() => expect([now()?.trouble, names()?.[0]]).toEqual(["", "vm4"]));
});

test("each figure that top shows has a word for the hub, and comes back in its own unit", async () => {
  const { measure, connection } = world();
  for (const { kind = "host", columns } of topViews) {
    if (kind !== "host" && kind !== "instance") continue;
    const name = kind === "host" ? "hosts/h1" : nameOf(1);
    const figures = columns.map(({ figure }) => figure);
    measure(
      name,
      figures.map((figure, at) => [figure, 10 * (at + 1)] as const),
    );
    const { now } = look(connection, { kind, figures, text: kind === "host" ? "h1" : "vm1" });
    await eventually(() => expect(now()?.rows.length).toBeGreaterThan(0));
    const values = now()?.rows.find((row) => row.name === name)?.values;
    for (const [at, figure] of figures.entries())
      expect([figure, values?.get(figure)]).toEqual([figure, expect.closeTo(figure === load ? 150 : 10 * (at + 1), 6)]);
  }
});

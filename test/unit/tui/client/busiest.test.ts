import { status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import type { FactSource } from "../../../../hub/views/tables.js";
import { Views } from "../../../../hub/views/views.js";
import { ZorError } from "../../../../lib/errors.js";
import type { Calls } from "../../../../lib/grpc/connection.js";
import { encode, Kept } from "../../../../lib/watch/kept.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";
import type { WatchViewRequest, WatchViewResponse } from "../../../../proto/gen/zor/v1/view_service.js";
import { watchBusiest } from "../../../../tui/client/busiest.js";
import type { Busy } from "../../../../tui/kit/busy/busy.js";

const hosts = 2000;
const vm = (at: number): string => `hosts/h${at}/instances/vm`;

/** A hub of 2,000 hosts with an instance each, and what it sends to whoever looks. */
function world() {
  const log = new WatchLog();
  const measured = new Map<string, number>();
  const listeners: ((name: string) => void)[] = [];
  const facts: FactSource = {
    nowMs: () => 0,
    figure: (name, figure) => measured.get(`${name} ${figure}`),
    links: () => [],
    hold: async () => () => undefined,
    onFigure: (listener) => void listeners.push(listener),
  };
  for (let at = 0; at < hosts; at += 1) {
    const host = Host.fromPartial({ name: `hosts/h${at}`, state: 2 });
    const instance = Instance.fromPartial({ name: vm(at) });
    log.put(Kept.ofText("host", host.name, encode("host", host)), host);
    log.put(Kept.ofText("instance", instance.name, encode("instance", instance)), instance);
  }
  const views = new Views({ log, facts });
  onTestFinished(() => views.close());
  const measure = (name: string, figure: Figure, value: number): void => {
    measured.set(`${name} ${figure}`, value);
    for (const listener of listeners) listener(name);
  };
  const sent: WatchViewResponse[] = [];
  const connection: Pick<Calls, "stream"> = {
    stream: async function* (_: unknown, request: WatchViewRequest, { signal }: { signal: AbortSignal }) {
      const soon = { ...request, interval: { seconds: 0n, nanos: 50_000_000 } };
      const reader = { caller: "zor://user/ana", role: Role.ROLE_VIEWER, signal };
      for await (const response of views.watch(soon, reader)) {
        sent.push(response);
        yield response;
      }
    } as unknown as Calls["stream"],
  };
  return { measure, sent, connection: connection as Calls };
}

/** Looks until the test ends. */
function look(connection: Calls, figures: readonly Figure[]): { readonly now: () => Busy | undefined } {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  let now: Busy | undefined;
  let failure: unknown;
  watchBusiest(connection, { figures, signal: ending.signal, onNews: (busy) => (now = busy) }).catch(
    (error: unknown) => {
      failure = error;
    },
  );
  const seen = (): Busy | undefined => {
    if (failure !== undefined) throw failure;
    return now;
  };
  return { now: seen };
}

test("who uses the most of 2,000 hosts is told in a few rows, with the sums of all, whatever all the others do", async () => {
  const { measure, sent, connection } = world();
  for (let at = 0; at < hosts; at += 1) {
    measure(`hosts/h${at}`, Figure.FIGURE_CPU, 500);
    measure(vm(at), Figure.FIGURE_CPU, at);
    measure(vm(at), Figure.FIGURE_NET_IN, 1000);
    measure(vm(at), Figure.FIGURE_NET_OUT, 24);
  }
  const { now } = look(connection, [Figure.FIGURE_CPU]);
  await expect.poll(() => now()?.first.length).toBe(20);
  await expect.poll(() => now()).toMatchObject({ cpu: 1_000_000, traffic: hosts * 1024, trouble: "" });
  expect(now()?.first[0]).toEqual({
    name: vm(1999),
    values: new Map([
      [Figure.FIGURE_CPU, 1999],
      [Figure.FIGURE_NET_IN, 1000],
      [Figure.FIGURE_NET_OUT, 24],
    ]),
  });
  // One message for the hosts, one for the instances; of all of them the first.
  expect(sent.flatMap(({ rows }) => rows)).toHaveLength(1 + 20);
  const bytes = sent.flatMap(({ rows }) => rows).reduce((sum, { resource }) => sum + (resource?.value.length ?? 0), 0);
  expect(bytes).toBeLessThan(1000);

  // All but the first change: only sums are told. Then one comes to the front.
  const before = sent.length;
  for (let at = 0; at < 1000; at += 1) measure(`hosts/h${at}`, Figure.FIGURE_CPU, 700);
  for (let at = 0; at < 1000; at += 1) measure(vm(at), Figure.FIGURE_NET_IN, 2000);
  await expect.poll(() => now()?.cpu).toBeCloseTo(1_200_000, 0);
  await expect.poll(() => now()?.traffic).toBe(hosts * 1024 + 1000 * 1000);
  expect(sent.slice(before).flatMap(({ rows }) => rows)).toEqual([]);
  measure(vm(7), Figure.FIGURE_CPU, 5000);
  await expect.poll(() => now()?.first[0]?.name).toBe(vm(7));
  expect(now()?.first).toHaveLength(20);
  const news = sent.slice(before).flatMap(({ rows }) => rows.filter(({ values }) => values.length > 0));
  expect(news.map(({ name }) => name)).toEqual([vm(7)]);
});

test("sums that a hub of an earlier version does not tell are not taken for nothing", async () => {
  const { measure, sent, connection } = world();
  measure(vm(1), Figure.FIGURE_CPU, 100);
  const earlier = {
    stream: async function* (...given: Parameters<Calls["stream"]>) {
      for await (const response of connection.stream(...given)) {
        const { totals } = response as { totals?: { sums: object } };
        if (totals !== undefined) totals.sums = {};
        yield response;
      }
    },
  } as unknown as Calls;
  const { now } = look(earlier, [Figure.FIGURE_CPU]);
  await expect.poll(() => now()?.first).toHaveLength(1);
  await expect.poll(() => sent.flatMap(({ totals }) => totals ?? []).length).toBeGreaterThanOrEqual(2);
  expect(now()).toMatchObject({ cpu: undefined, traffic: undefined });
});

test("what is read and written counts together, by the first of both", async () => {
  const { measure, connection } = world();
  measure(vm(1), Figure.FIGURE_DISK_READ, 100);
  measure(vm(2), Figure.FIGURE_DISK_WRITE, 90);
  measure(vm(3), Figure.FIGURE_DISK_READ, 60);
  measure(vm(3), Figure.FIGURE_DISK_WRITE, 60);
  const { now } = look(connection, [Figure.FIGURE_DISK_READ, Figure.FIGURE_DISK_WRITE]);
  await expect.poll(() => now()?.first.map(({ name }) => name)).toEqual([vm(3), vm(1), vm(2)]);
});

test("whoever has no views says so at once", async () => {
  const error = new ZorError({ reason: "NO_VIEWS", code: status.UNIMPLEMENTED, message: "an agent has none" });
  const connection = {
    stream: async function* () {
      yield* [];
      throw error;
    },
  } as unknown as Calls;
  const { signal } = new AbortController();
  await expect(
    watchBusiest(connection, { figures: [Figure.FIGURE_CPU], signal, onNews: () => undefined }),
  ).rejects.toBe(error);
});

import { expect, onTestFinished, test } from "vitest";
import { AskedFigures } from "../../../../../hub/kinds/host/figures/asked-figures.js";
import { findLieInFigures } from "../../../../../hub/kinds/host/figures/check-response.js";
import { HeldFigures } from "../../../../../hub/kinds/host/figures/held-figures.js";
import type { KeptParts } from "../../../../../hub/kinds/host/figures/kept-figures.js";
import { FleetFigures, type WatchParts } from "../../../../../hub/kinds/host/figures/watch-fleet.js";
import { unavailable } from "../../../../../lib/errors.js";
import type { CallContext } from "../../../../../lib/grpc/service.js";
import { createLog } from "../../../../../lib/log.js";
import { Figure } from "../../../../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest, WatchFiguresResponse } from "../../../../../proto/gen/zor/v1/figures_service.js";
import { Host } from "../../../../../proto/gen/zor/v1/host.js";

const subject = (name: string, part = "") => ({ number: 0, name, part, figures: [Figure.FIGURE_CPU] });
const told = (host: string, ...subjects: ReturnType<typeof subject>[]) =>
  WatchFiguresResponse.fromPartial({ host: `hosts/${host}`, timeMillis: 1n, anew: true, subjects });

/** A fleet of two hosts whose agents say what a test has them say, and end. */
function fleet(says: Readonly<Record<string, (request: WatchFiguresRequest) => AsyncIterable<WatchFiguresResponse>>>) {
  const ready = new Set(Object.keys(says));
  const listeners: (() => void)[] = [];
  const refused: string[] = [];
  const asked: { readonly host: string; readonly request: unknown }[] = [];
  const losses = new Map<string, (() => void)[]>();
  const hosts = Object.keys(says);
  const parts = {
    fleet: {
      onChange: (listener: () => void) => listeners.push(listener),
      list: () => hosts.map((id) => Host.fromPartial({ name: `hosts/${id}`, uid: id })),
      find: (id: string) => (hosts.includes(id) ? {} : undefined),
      refuse: (id: string) => refused.push(id),
    },
    router: {
      isReady: (id: string) => ready.has(id),
      silenceOf: (id: string) => `hosts/${id} did not answer`,
      stream: (_: unknown, call: { readonly host: string; readonly request: unknown }) => {
        asked.push(call);
        const { promise, reject } = Promise.withResolvers<never>();
        promise.catch(() => undefined);
        const lost = unavailable("HOST_LOST", `hosts/${call.host}`, "it was lost");
        losses.set(call.host, [...(losses.get(call.host) ?? []), () => reject(lost)]);
        const stream = says[call.host]?.(call.request as WatchFiguresRequest)[Symbol.asyncIterator]();
        return {
          [Symbol.asyncIterator]: () => ({
            next: () => Promise.race([promise, stream?.next()]),
            return: stream?.return,
          }),
        };
      },
    },
  };
  // Only what the watch uses of them is there.
  return {
    parts: parts as unknown as WatchParts,
    ready,
    refused,
    asked,
    lose: (host: string) => {
      for (const lose of losses.get(host) ?? []) lose();
    },
    change: () => {
      for (const listener of listeners) listener();
    },
  };
}

function watch(parts: WatchParts, request: object, signal: AbortSignal) {
  const context = { signal } as CallContext; // nothing else of it is looked at
  return new FleetFigures(parts).watch(WatchFiguresRequest.fromPartial(request), context);
}

async function take(stream: AsyncIterable<WatchFiguresResponse>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { host, silent } of stream) {
    texts.push(silent === "" ? host : silent);
    if (texts.length === count) break;
  }
  return texts.sort();
}

test("what all hosts tell comes in one stream; one that is away is told, and comes when it is back", async () => {
  const once = (host: string) =>
    async function* () {
      yield told(host, subject(`hosts/${host}`));
      await new Promise(() => undefined);
    };
  const made = fleet({ alpha: once("alpha"), beta: once("beta") });
  made.ready.delete("beta");
  const ending = new AbortController();
  const stream = watch(made.parts, {}, ending.signal);
  const texts: string[] = [];
  for await (const { host, silent } of stream) {
    texts.push(silent === "" ? host : silent);
    if (texts.length === 2) {
      made.ready.add("beta");
      made.change();
    }
    if (texts.length === 3) break;
  }
  expect(texts.slice(0, 2).sort()).toEqual(["hosts/alpha", "hosts/beta did not answer"]);
  expect(texts[2]).toBe("hosts/beta");
});

test("a host that is lost is told, and asked again", async () => {
  let calls = 0;
  const made = fleet({
    alpha: async function* () {
      calls += 1;
      if (calls === 1) throw unavailable("HOST_LOST", "hosts/alpha", "it was lost");
      yield told("alpha");
    },
  });
  expect(await take(watch(made.parts, {}, new AbortController().signal), 2)).toEqual(["hosts/alpha", "it was lost"]);
});

test("only hosts that have what is wanted are asked, and only for that", async () => {
  const made = fleet({
    alpha: async function* () {
      yield told("alpha");
    },
    beta: async function* () {
      yield told("beta");
    },
  });
  const names = ["hosts/beta/instances/a", "hosts/beta"];
  expect(await take(watch(made.parts, { names }, new AbortController().signal), 1)).toEqual(["hosts/beta"]);
  expect(made.asked).toMatchObject([{ host: "beta", request: { names } }]);
});

test("an agent that speaks for another host is not believed", async () => {
  const made = fleet({
    alpha: async function* () {
      yield told("alpha", subject("hosts/beta/instances/a"));
    },
  });
  const [text] = await take(watch(made.parts, {}, new AbortController().signal), 1);
  expect(text).toBe("the hub did not believe its agent: it tells of what is not on it");
  expect(made.refused).toEqual(["alpha"]);
});

test("for metrics what hosts told last is held, each thing once, and given up with the host's silence", async () => {
  const { promise: isLost, resolve: lose } = Promise.withResolvers<void>();
  const two = [subject("hosts/alpha"), { ...subject("hosts/alpha"), number: 1 }];
  const made = fleet({
    alpha: async function* () {
      yield { ...told("alpha", ...two), steps: [1, 1], changes: [1500n, 9n] };
      await isLost;
      made.ready.delete("alpha");
      throw unavailable("HOST_LOST", "hosts/alpha", "it was lost");
    },
    beta: async function* () {
      // What it has not named.
      yield { ...told("beta", subject("hosts/beta")), steps: [5], changes: [1n] };
      await new Promise(() => undefined);
    },
  });
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const held = HeldFigures.hold({
    ...made.parts,
    log: createLog("test", { write: () => undefined }),
    stop: ending.signal,
  });
  const values = () => [...held.readings()].map(({ name, valueAt }) => [name, valueAt(Figure.FIGURE_CPU)]);
  await expect.poll(values).toEqual([["hosts/alpha", 1500]]);
  await expect.poll(() => made.refused).toEqual(["beta"]);
  expect(made.asked[0]?.request).toMatchObject({ parts: true, interval: { seconds: 10n } });
  lose();
  await expect.poll(values).toEqual([]);
});

test.each([
  ["of another host", told("beta"), /another host/],
  ["of what is not measured", told("alpha", subject("hosts/alpha/images/a")), /not on it/],
  ["with a line break", told("alpha", subject("hosts/alpha", "a\nb")), /name that is none/],
  ["without values", { ...told("alpha"), steps: [1] }, /more changes/],
  ["of the end of a link", told("alpha", subject("links/l", "hosts/alpha/lans/x")), undefined],
  ["of another's end of a link", told("alpha", subject("links/l", "hosts/beta/lans/x")), /not on it/],
])("what is told %s is judged", (_, response, expected) => {
  const lie = findLieInFigures("alpha", response);
  if (expected === undefined) expect(lie).toBeUndefined();
  else expect(lie).toMatch(expected);
});

test("what queries ask for is asked of hosts, and no more; a further figure takes nothing from what is known", async () => {
  const values = new Map([
    [Figure.FIGURE_CPU, 1500n],
    [Figure.FIGURE_MEMORY, 9n],
  ]);
  const [name, other] = ["hosts/alpha/instances/a", "hosts/beta/instances/b"];
  const say = (host: string, about: string) =>
    async function* (request: WatchFiguresRequest) {
      const subjects = [{ number: 0, name: about, part: "", figures: request.figures }];
      const [steps, changes] = [request.figures.map(() => 1), request.figures.map((each) => values.get(each) ?? 0n)];
      yield { ...told(host, ...subjects), steps, changes };
      await new Promise(() => undefined);
    };
  const says = { alpha: say("alpha", name), beta: say("beta", other) };
  const made = fleet(says);
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const log = createLog("test", { write: () => undefined });
  const asked = new AskedFigures({ ...made.parts, log, stop: stop.signal } as KeptParts);
  const heard: string[] = [];
  asked.onFigure((each) => heard.push(each));
  const release = await asked.hold(new Set([Figure.FIGURE_CPU]));
  expect(asked.figure(name, Figure.FIGURE_CPU)).toBe(1500);
  expect(asked.figure(name, Figure.FIGURE_MEMORY)).toBeUndefined();
  expect(made.asked.map(({ request }) => (request as WatchFiguresRequest).figures)).toEqual([
    [Figure.FIGURE_CPU],
    [Figure.FIGURE_CPU],
  ]);
  // The same once more asks nobody.
  (await asked.hold(new Set([Figure.FIGURE_CPU])))();
  expect(made.asked).toHaveLength(2);
  const holding = asked.hold(new Set([Figure.FIGURE_MEMORY]));
  expect(asked.figure(name, Figure.FIGURE_CPU)).toBe(1500);
  (await holding)();
  expect(made.asked).toHaveLength(4);
  for (const each of [name, other]) {
    expect([asked.figure(each, Figure.FIGURE_CPU), asked.figure(each, Figure.FIGURE_MEMORY)]).toEqual([1500, 9]);
  }
  // A host that is silent takes its own along, and nothing of others.
  heard.length = 0;
  made.ready.delete("beta");
  made.lose("beta");
  await expect.poll(() => asked.figure(other, Figure.FIGURE_CPU)).toBeUndefined();
  expect(new Set(heard)).toEqual(new Set([other]));
  expect(asked.figure(name, Figure.FIGURE_CPU)).toBe(1500);
  release();
});

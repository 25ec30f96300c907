import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permissionDenied, unavailable } from "../../../../lib/errors.js";
import { kindNamed } from "../../../../lib/kinds/kinds.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";
import { Wave } from "../../../../proto/gen/zor/v1/wave.js";
import { headerLines } from "../../../../tui/app/header.js";
import type { Busy } from "../../../../tui/kit/busy/busy.js";
import { planImpact } from "../../../../tui/kit/impact.js";
import type { FleetStep } from "../../../../tui/kit/fleet/fleet-step.js";
import { drawTable } from "../../../../tui/kit/table/table-frame.js";
import { Feed } from "../../../../tui/session/feed.js";
import type { HubState } from "../../../../tui/session/gateway.js";
import { createHubsGateway } from "../../../../tui/session/hubs-gateway.js";
import { FakeGateway } from "../../../fakes/fleet-gateway.js";
import { makeProgram, tableOf } from "../program.js";
import { removed, reset, snapshotEnd, upsert, upsertHost, upsertInstance } from "../steps.js";

let stop = new AbortController();
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

/** A hub that a test speaks for. */
class Hub extends FakeGateway {
  #says: ((step: FleetStep | Error | undefined) => void) | undefined;
  #queue: (FleetStep | Error)[] = [];
  become: (state: HubState) => void = () => undefined;

  override async *watch(onState?: (state: HubState) => void, signal?: AbortSignal): AsyncGenerator<FleetStep> {
    this.become = onState ?? this.become;
    signal?.addEventListener("abort", () => this.#says?.(undefined), { once: true });
    while (signal?.aborted !== true) {
      const step = this.#queue.shift() ?? (await new Promise<FleetStep | Error | undefined>((go) => (this.#says = go)));
      if (step === undefined) return;
      if (step instanceof Error) throw step;
      yield step;
    }
  }

  say(...steps: readonly (FleetStep | Error)[]): void {
    this.#queue.push(...steps);
    const next = this.#says === undefined ? undefined : this.#queue.shift();
    const says = this.#says;
    this.#says = undefined;
    if (next !== undefined) says?.(next);
  }
}

const link = (id: string) =>
  upsert({
    kind: "link",
    value: Link.fromPartial({
      name: `links/${id}`,
      spec: { a: "hosts/alpha/lans/lan1", b: "hosts/beta/lans/lan1" },
    }),
  });

const snapshot = [reset, upsertHost("alpha"), upsertInstance("alpha", "web"), link("demo"), snapshotEnd];

function together() {
  const made = makeProgram({ context: "paris+rome" });
  const [paris, rome] = [new Hub(), new Hub()];
  const gateway = createHubsGateway(
    [
      { name: "paris", gateway: paris },
      { name: "rome", gateway: rome },
    ],
    "event",
  );
  const { model } = made;
  const feed = new Feed(model, gateway, made.program.log);
  void feed.run(stop.signal);
  const names = (kind: string) => [...model.fleet.rowsOf(kind)].map(({ name }) => name).sort();
  return { ...made, paris, rome, gateway, names, feed };
}

async function bothLive() {
  const made = together();
  const { paris, rome, names } = made;
  for (const hub of [paris, rome]) {
    hub.become({ phase: "live", since: new Date() });
    hub.say(...snapshot);
  }
  await expect.poll(() => names("link")).toEqual(["links/demo@paris", "links/demo@rome"]);
  return made;
}

const lost: HubState = {
  phase: "waiting",
  error: unavailable("NO_CONNECTION", "", "cut"),
  retryAt: new Date(),
  attempt: 1,
};

describe("several hubs in one view", () => {
  it("keep what has the same name apart, references too", async () => {
    const { model, names } = await bothLive();
    expect(names("host")).toEqual(["hosts/alpha@paris", "hosts/alpha@rome"]);
    expect(names("instance")).toEqual(["hosts/alpha@paris/instances/web", "hosts/alpha@rome/instances/web"]);
    expect(model.fleet.find("link", "links/demo@rome")?.resource).toMatchObject({
      spec: { a: "hosts/alpha@rome/lans/lan1", b: "hosts/beta@rome/lans/lan1" },
    });
    expect(model.fleet.loaded).toBe(true);
  });

  it("forget of one what its next snapshot has not, and nothing of the other", async () => {
    const { rome, paris, names } = await bothLive();
    rome.say(reset, upsertHost("alpha"), snapshotEnd);
    await expect.poll(() => names("instance")).toEqual(["hosts/alpha@paris/instances/web"]);
    expect(names("link")).toEqual(["links/demo@paris"]);
    paris.say(removed("hosts/alpha/instances/web"));
    await expect.poll(() => names("instance")).toEqual([]);
    expect(names("host")).toEqual(["hosts/alpha@paris", "hosts/alpha@rome"]);
  });

  it("show as old what one has that is lost, and say which that is", async () => {
    const { model, rome, press, program } = await bothLive();
    rome.become(lost);
    const header = () =>
      headerLines(model, 120)
        .flat()
        .map(({ text }) => text)
        .join("");
    expect(header()).toContain("● 1 of 2 live, ✗ rome lost 0s ago");
    for (const [key, fresh] of [
      ["1", "hosts/alpha@paris"],
      ["2", "hosts/alpha@paris/instances/web"],
      ["4", "links/demo@paris"],
    ] as const) {
      press(key);
      const { rows } = drawTable(tableOf(model), model.fleet, { width: 100, height: 20, nowMs: model.nowMs });
      expect(rows.filter(({ faded }) => !faded).map(({ name }) => name)).toEqual([fresh]);
      expect(rows).toHaveLength(2);
    }
    expect([...model.fleet.unreachable]).toEqual(["alpha@rome"]);
    const kind = model.kinds.get("link");
    const row = model.fleet.find("link", "links/demo@rome");
    const [action] = kind.actions;
    if (row === undefined || action === undefined) throw new Error("there is such a link, and something to do to it");
    expect(planImpact(model.fleet, kind, action, [row]).skipped[0]?.effect).toContain("hub rome does not answer");
    rome.become({ phase: "live", since: new Date() });
    expect(header()).toContain("● live");
    expect(program.model.fleet.isAway("links/demo@rome")).toBe(false);
  });

  it("go on without one that refuses, and are refused when all do", async () => {
    const { model, rome, paris, names } = await bothLive();
    rome.say(permissionDenied("role viewer is needed"));
    await expect.poll(() => model.notice?.text).toBe("rome refuses to be watched: role viewer is needed");
    paris.say(upsertInstance("alpha", "more"));
    await expect.poll(() => names("instance")).toContain("hosts/alpha@paris/instances/more");
    expect(model.fleet.connection.phase).toBe("live");
    paris.say(permissionDenied("role viewer is needed"));
    await expect.poll(() => model.fleet.connection.phase).toBe("refused");
  });

  it("are asked each for its own, by the names that it knows", async () => {
    const { model, gateway, paris, rome } = await bothLive();
    const row = model.fleet.find("instance", "hosts/alpha@rome/instances/web");
    const action = model.kinds.get("instance").actions.find(({ verb }) => verb === "stop");
    if (row === undefined || action === undefined) throw new Error("there is an instance, and it can be stopped");
    await gateway.run(action, row, stop.signal);
    await gateway.showScreen("hosts/alpha@paris/instances/web", {} as never, stop.signal);
    await gateway.runZor(["ssh", "alpha@rome/web"], stop.signal);
    expect(rome.calls).toEqual(["stop hosts/alpha/instances/web", "zor ssh alpha/web"]);
    expect(paris.calls).toEqual(["screen hosts/alpha/instances/web"]);
    await expect(gateway.runZor(["host", "install", "new"], stop.signal)).rejects.toThrow(
      "zor host install: at which hub, paris or rome? go to one with :ctx first",
    );
  });

  it("do something to hosts by the program of one of them, and say who uses the most of all", async () => {
    const { gateway, paris, rome } = await bothLive();
    const told = { onLine: () => undefined, onSaid: () => undefined };
    gateway.rollOut(["host", "upgrade", "alpha@rome", "--steps"], told, stop.signal).say("pause");
    expect([paris.calls, rome.calls]).toEqual([[], ["zor host upgrade alpha --steps", "say pause"]]);
    expect(() => gateway.rollOut(["host", "upgrade", "alpha"], told, stop.signal)).toThrow(
      /at which hub, paris or rome/,
    );
    const used = (cpu: number) => ({
      ...{ host: "hosts/alpha", name: "hosts/alpha/instances/web", part: "" },
      values: new Map([[Figure.FIGURE_CPU, cpu]]),
    });
    paris.used = { all: [used(20)], trouble: "beta is silent" };
    rome.used = { all: [used(30), { ...used(500), name: "hosts/alpha" }], trouble: "" };
    const seen: Busy[] = [];
    const leaving = new AbortController();
    const look = gateway.figures.watchBusiest([Figure.FIGURE_CPU], (busy) => seen.push(busy), leaving.signal);
    await expect
      .poll(() => seen.at(-1)?.first.map(({ name }) => name))
      .toEqual(["hosts/alpha@rome/instances/web", "hosts/alpha@paris/instances/web"]);
    expect(seen.at(-1)).toMatchObject({ cpu: 500, traffic: 0, trouble: "paris: beta is silent" });
    leaving.abort();
    await look;
  });

  it("do a wave each for its own, and tell failures by the names here", async () => {
    const { gateway, paris, rome } = await bothLive();
    const failed: string[] = [];
    const told: string[] = [];
    const names = ["hosts/a@paris/instances/x", "hosts/a@rome/instances/x", "hosts/a@rome/instances/y"];
    const wave = {
      ...{ wave: { method: "zor.v1.InstanceService/StopInstance", request: new Uint8Array() }, names, maxFailures: 3 },
      onFailed: (name: string) => failed.push(name),
      onBegun: (operation: string) => told.push(operation),
      onStarted: (name: string) => told.push(name),
      onSkipped: (skipped: readonly string[]) => told.push(`not ${skipped.join()}`),
    };
    expect(await gateway.runWave(wave, stop.signal)).toBe(false);
    [paris.hasWaves, rome.hasWaves] = [true, true];
    rome.waveFailures.set("hosts/a/instances/y", new Error("broken"));
    paris.waveSkips.push("hosts/a/instances/x");
    expect(await gateway.runWave(wave, stop.signal)).toBe(true);
    expect([paris.calls, rome.calls]).toEqual([["wave StopInstance 1"], ["wave StopInstance 2"]]);
    expect(failed).toEqual(["hosts/a@rome/instances/y"]);
    expect(told.toSorted()).toEqual(
      ["not hosts/a@paris/instances/x", "operations/w@paris", "operations/w@rome", ...names.slice(1)].toSorted(),
    );
  });

  it("follow a wave of one of them by the names here", async () => {
    const { gateway, paris, rome } = await bothLive();
    const leaving = new AbortController();
    const seen: Wave[] = [];
    const look = { signal: leaving.signal, onNews: (wave: Wave) => seen.push(wave), onTrouble: () => undefined };
    const followed = gateway.waves.watch("operations/w@rome", look);
    const items = [{ name: "hosts/a/instances/x" }];
    rome.followed.get("operations/w")?.onNews(Wave.fromPartial({ name: "operations/w", items }), []);
    expect(seen).toMatchObject([{ name: "operations/w@rome", items: [{ name: "hosts/a@rome/instances/x" }] }]);
    leaving.abort();
    await followed;
    await gateway.waves.pause("operations/w@rome", stop.signal);
    await gateway.waves.resume("operations/w@rome", stop.signal);
    expect(await gateway.waves.again(Wave.fromPartial(seen[0] ?? {}), stop.signal)).toBe("operations/next@rome");
    expect(rome.calls.slice(-4)).toEqual([
      "left operations/w",
      "pause operations/w",
      "resume operations/w",
      "again operations/w",
    ]);
    expect(paris.calls).toEqual([]);
  });

  it("take changes where their names say, new ones where what they name is; never one that joins two", async () => {
    const { gateway, paris, rome } = await bothLive();
    const change = (id: string, a: string, b: string) =>
      ({
        ...({ type: "create", kind: kindNamed("link"), name: `links/${id}`, extras: {} } as const),
        resource: Link.fromPartial({ spec: { a, b } }),
      }) as const;
    await gateway.changes.send(change("new", "hosts/a@rome/lans/l", "hosts/b@rome/lans/l"), stop.signal);
    expect(rome.sent).toMatchObject([
      { name: "links/new", resource: { spec: { a: "hosts/a/lans/l", b: "hosts/b/lans/l" } } },
    ]);
    await expect(
      gateway.changes.check(change("new", "hosts/a@paris/lans/l", "hosts/b@rome/lans/l"), stop.signal),
    ).rejects.toThrow("link new is for paris, and b@rome/l is at rome");
    await expect(gateway.changes.send(change("new", "", ""), stop.signal)).rejects.toThrow("link new: at which hub");
    expect(paris.sent).toEqual([]);
  });

  it("tell events and figures of all, by the names here", async () => {
    const { gateway, paris, rome } = await bothLive();
    const event = (name: string, second: number) =>
      Event.fromPartial({ name: `events/${name}`, resource: "hosts/alpha", time: new Date(second * 1000) });
    paris.kept.push([event("p", 1)]);
    rome.kept.push([event("r", 2)]);
    const { events } = await gateway.olderEvents(stop.signal);
    expect(events.map(({ name, resource }) => `${name} ${resource}`)).toEqual([
      "events/r@rome hosts/alpha@rome",
      "events/p@paris hosts/alpha@paris",
    ]);
    rome.used = {
      all: [{ host: "hosts/alpha", name: "hosts/alpha/instances/web", part: "", values: new Map() }],
      trouble: "hosts/beta is silent",
    };
    const seen: string[] = [];
    const names = ["hosts/alpha@rome/instances/web", "hosts/alpha@paris/instances/web"];
    void gateway.figures.watch(
      { names, figures: [] },
      ({ all, trouble }) => {
        seen.push([...all].map(({ name }) => name).join(), trouble);
      },
      stop.signal,
    );
    await expect.poll(() => seen).toContain("hosts/alpha@rome/instances/web");
    expect(seen).toContain("rome: hosts/beta is silent");
    await gateway.figures.readHistory("hosts/alpha@rome", { startMs: 0, endMs: 60_000, maxPoints: 9 }, stop.signal);
    expect(rome.calls).toContain("history hosts/alpha 1 min");
  });

  it("keep what is there of one that is lost when everything is read again", async () => {
    const { feed, rome, paris, names } = await bothLive();
    feed.resync();
    await expect.poll(() => paris.become).toBeTypeOf("function");
    rome.become(lost);
    paris.say(reset, upsertHost("alpha"), snapshotEnd);
    await expect.poll(() => names("instance")).toEqual(["hosts/alpha@rome/instances/web"]);
    expect(names("host")).toEqual(["hosts/alpha@paris", "hosts/alpha@rome"]);
  });
});

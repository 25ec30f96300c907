import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { permissionDenied, unavailable } from "../../../../lib/errors.js";
import type { ConnectionState } from "../../../../tui/client/watch.js";
import type { FleetStep } from "../../../../tui/kit/fleet/fleet-step.js";
import { Feed } from "../../../../tui/session/feed.js";
import { tuiKinds } from "../../../../tui/kinds/index.js";
import { KindTable } from "../../../../tui/kit/kind-table.js";
import { Model } from "../../../../tui/kit/model.js";
import { FakeGateway } from "../../../fakes/fleet-gateway.js";
import { eventually } from "../../../helpers/eventually.js";
import { reset, snapshotEnd, upsertHost } from "../steps.js";

let stop = new AbortController();
beforeEach(() => {
  stop = new AbortController();
});
afterEach(() => stop.abort());

type Script = (onState: (state: ConnectionState) => void, signal: AbortSignal) => AsyncIterable<FleetStep>;

/** A feed whose watches follow the scripts, one after the other. */
function follow(...scripts: readonly Script[]) {
  const model = new Model(new KindTable(tuiKinds), { context: "c", address: "a", readOnly: false }, Date.now);
  const gateway = new FakeGateway();
  let watches = 0;
  const watch: Script = (onState, signal) => {
    const script = scripts[Math.min(watches, scripts.length - 1)];
    watches += 1;
    if (script === undefined) throw new Error("a feed needs a script");
    return script(onState, signal);
  };
  const feed = new Feed(model, Object.assign(gateway, { watch }), pino({ level: "silent" }));
  void feed.run(stop.signal);
  return { model, feed, watches: () => watches };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

const live: ConnectionState = { phase: "live", since: new Date(0) };

async function* snapshot(onState: (state: ConnectionState) => void, signal: AbortSignal): AsyncGenerator<FleetStep> {
  onState({ phase: "connecting", attempt: 1 });
  onState(live);
  yield reset;
  yield upsertHost("alpha");
  yield snapshotEnd;
  await untilAborted(signal);
}

describe("the feed", () => {
  it("fills the model and draws bursts together", async () => {
    const { model } = follow(snapshot);
    const drawn = vi.fn();
    model.subscribe(drawn);
    await eventually(() => expect(drawn).toHaveBeenCalled());
    expect(model.fleet.loaded).toBe(true);
    expect(model.fleet.connection.phase).toBe("live");
    expect(drawn).toHaveBeenCalledTimes(1);
  });

  it("tells since when the hub is lost, over all attempts, and keeps what is known", async () => {
    const retryAt = new Date(Date.now() + 5000);
    const error = unavailable("NO_CONNECTION", "a", "cannot reach a: refused");
    const { model } = follow(async function* (onState, signal) {
      onState(live);
      yield reset;
      yield upsertHost("alpha");
      yield snapshotEnd;
      onState({ phase: "waiting", error, retryAt, attempt: 1 });
      onState({ phase: "connecting", attempt: 2 });
      onState({ phase: "waiting", error, retryAt, attempt: 2 });
      await untilAborted(signal);
    });
    await eventually(() => expect(model.fleet.connection.phase).toBe("lost"));
    expect(model.fleet.connection).toMatchObject({ reason: "cannot reach a: refused", retryAtMs: retryAt.getTime() });
    expect(model.fleet.table("host").size).toBe(1);
  });

  it("says that it is refused, and asks again only when told to", async () => {
    const { model, feed, watches } = follow(async function* () {
      yield* [];
      throw permissionDenied("role viewer is needed");
    }, snapshot);
    await eventually(() => expect(model.fleet.connection.phase).toBe("refused"));
    expect(model.notice).toMatchObject({ tone: "bad", text: expect.stringContaining("role viewer is needed") });
    expect(watches()).toBe(1);
    feed.resync();
    await eventually(() => expect(model.fleet.connection.phase).toBe("live"));
    expect(watches()).toBe(2);
  });

  it("reads everything again on a resync", async () => {
    const { model, feed, watches } = follow(snapshot, async function* (onState, signal) {
      onState(live);
      yield reset;
      yield upsertHost("beta");
      yield snapshotEnd;
      await untilAborted(signal);
    });
    await eventually(() => expect(model.fleet.loaded).toBe(true));
    feed.resync();
    await eventually(() => expect([...model.fleet.rowsOf("host")].map((row) => row.id)).toEqual(["beta"]));
    expect(watches()).toBe(2);
  });
});

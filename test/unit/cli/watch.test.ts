import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { unavailable, ZorError } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import type { WatchRequest, WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";
import { type ConnectionState, watchFleet } from "../../../tui/client/watch.js";

/** What a scripted server does with one call: messages, then an end, an error or silence. */
type Script = { readonly steps: readonly WatchResponse[]; readonly end: "end" | "silence" | ZorError };

const at = (revision: number, epoch = "e1") => ({ epoch, revision: BigInt(revision) });
const reset: WatchResponse = { position: at(0, ""), step: { $case: "reset", value: { reason: "first snapshot" } } };
const upsert = (revision: number): WatchResponse => ({
  position: at(revision),
  step: { $case: "upsert", value: { typeUrl: "", value: Buffer.alloc(0) } },
});
const snapshotEnd = (revision: number): WatchResponse => ({
  position: at(revision),
  step: { $case: "snapshotEnd", value: {} },
});

/** A connection whose streams follow the scripts, in turn; it remembers what was asked. */
function scripted(scripts: readonly Script[]): { connection: Connection; asked: WatchRequest[] } {
  const asked: WatchRequest[] = [];
  const stream = async function* (_: unknown, request: WatchRequest, { signal }: { signal: AbortSignal }) {
    const script = scripts[asked.length];
    asked.push(request);
    if (script === undefined)
      throw new ZorError({ reason: "OVER", code: status.PERMISSION_DENIED, message: "no more" });
    yield* script.steps;
    if (script.end === "end") return;
    if (script.end !== "silence") throw script.end;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    throw new ZorError({ reason: "CANCELLED", code: status.CANCELLED, message: "the call was cancelled" });
  };
  // Only what the watch uses of a connection.
  return { connection: { stream } as unknown as Connection, asked };
}

// Node's promised timers know no fake time; this pause does.
vi.mock(import("../../../lib/backoff.js"), async (original) => ({
  ...(await original()),
  pause: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    }),
}));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Runs a watch until the scripts are over. */
async function follow(scripts: readonly Script[]) {
  const { connection, asked } = scripted(scripts);
  const states: ConnectionState[] = [];
  const delays: number[] = [];
  const steps: string[] = [];
  const onState = (state: ConnectionState): void => {
    states.push(state);
    if (state.phase === "waiting") delays.push(state.retryAt.getTime() - Date.now());
  };
  const watch = (async () => {
    for await (const step of watchFleet(connection, { onState })) steps.push(step.$case);
  })();
  const ended = watch.then(
    () => undefined,
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(120_000);
  return { asked, states, delays, steps, error: await ended };
}

const lost = unavailable("NO_CONNECTION", "h", "gone");

describe("watchFleet", () => {
  it("resumes from the last position after the server ends the stream or the connection is lost", async () => {
    const { asked, steps, error } = await follow([
      { steps: [reset, upsert(3), snapshotEnd(3), upsert(4)], end: lost },
      { steps: [upsert(5)], end: "end" },
    ]);
    expect(asked.map(({ position }) => position)).toEqual([undefined, at(4), at(5)]);
    expect(steps).toEqual(["reset", "upsert", "snapshotEnd", "upsert", "upsert"]);
    expect(error).toMatchObject({ reason: "OVER" });
  });

  it("begins again when it was cut off inside a snapshot, also one after a reset", async () => {
    const { asked } = await follow([
      { steps: [reset, upsert(3)], end: lost },
      { steps: [reset, upsert(3), snapshotEnd(3)], end: lost },
      { steps: [reset, upsert(9)], end: lost },
    ]);
    expect(asked.map(({ position }) => position)).toEqual([undefined, undefined, at(3), undefined]);
  });

  it("takes a server that is silent for dead, tells why, and comes back", async () => {
    const { asked, states } = await follow([{ steps: [reset, snapshotEnd(1)], end: "silence" }]);
    expect(asked).toHaveLength(2);
    expect(states.map(({ phase }) => phase)).toEqual(["connecting", "live", "waiting", "connecting"]);
    expect(states[2]).toMatchObject({ error: { reason: "WATCH_SILENT" } });
  });

  it("waits longer after each failure in a row, up to 5 s, and short again after a success", async () => {
    const failures: Script[] = Array.from({ length: 8 }, () => ({ steps: [], end: lost }));
    const { states, delays } = await follow([...failures, { steps: [reset, snapshotEnd(1)], end: lost }]);
    const waits = states.filter((state) => state.phase === "waiting");
    expect(waits.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0]);
    expect(Math.max(...delays)).toBeLessThanOrEqual(5000);
    expect(delays[7]).toBeGreaterThanOrEqual(2500);
    expect(delays[0]).toBeLessThanOrEqual(500);
    expect(delays[8]).toBeLessThanOrEqual(500);
  });

  it.each([status.PERMISSION_DENIED, status.UNAUTHENTICATED, status.UNIMPLEMENTED, status.INVALID_ARGUMENT])(
    "gives up at once when the server answers %i",
    async (code) => {
      const { asked, error } = await follow([{ steps: [], end: new ZorError({ reason: "R", code, message: "no" }) }]);
      expect(asked).toHaveLength(1);
      expect(error).toMatchObject({ code });
    },
  );

  it("ends without an error when the caller's signal aborts, also while it waits", async () => {
    const abort = new AbortController();
    const { connection, asked } = scripted([{ steps: [reset], end: lost }]);
    const steps: string[] = [];
    const watch = (async () => {
      for await (const step of watchFleet(connection, { signal: abort.signal })) steps.push(step.$case);
    })();
    await vi.advanceTimersByTimeAsync(1);
    abort.abort();
    await vi.advanceTimersByTimeAsync(1);
    await watch;
    expect(steps).toEqual(["reset"]);
    expect(asked).toHaveLength(1);
  });
});

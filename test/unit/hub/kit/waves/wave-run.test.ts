import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { newWave, type WaveRecord } from "../../../../../hub/kit/waves/wave-record.js";
import { type ActTold, WaveRun } from "../../../../../hub/kit/waves/wave-run.js";
import { permissionDenied, ZorError } from "../../../../../lib/errors.js";
import { Role } from "../../../../../proto/gen/zor/v1/token_service.js";
import { WaveItemState, WaveSpec } from "../../../../../proto/gen/zor/v1/wave.js";

/** A wave over resources that end when they are told to. */
class Rig {
  readonly wave: WaveRecord;
  readonly run: WaveRun;
  readonly ended: Promise<unknown>;
  readonly stop = new AbortController();
  readonly cancel = new AbortController();
  /** All that was told, in order. */
  readonly steps: string[] = [];
  isRefused: boolean;
  readonly paused: string[] = [];
  /** Of each that is under way, or was: what its call is told with. */
  readonly told = new Map<number, ActTold>();
  readonly #acts = new Map<number, PromiseWithResolvers<void>>();

  constructor(count: number, bounds: Partial<WaveSpec>, states: readonly WaveItemState[] = [], isRefused = false) {
    this.isRefused = isRefused;
    const names = Array.from({ length: count }, (_, index) => `hosts/a/instances/${index}`);
    const spec = WaveSpec.fromPartial({ names, maxParallel: 2, ...bounds });
    const caller = { identity: "zor://user/ana", kind: "user", id: "ana", role: Role.ROLE_OPERATOR } as const;
    this.wave = newWave("operations/w", spec, caller);
    for (const [index, state] of states.entries()) {
      const item = this.wave.items[index];
      if (item !== undefined) this.wave.items[index] = { ...item, state };
    }
    this.run = new WaveRun({
      wave: this.wave,
      act: (index, told) => {
        this.told.set(index, told);
        const act = Promise.withResolvers<void>();
        this.#acts.set(index, act);
        return act.promise;
      },
      permit: () => {
        if (this.isRefused) throw permissionDenied("revoked");
      },
      paused: (why) => this.paused.push(why),
      changed: () => undefined,
      stop: this.stop.signal,
    });
    const progress = (step: string): void => {
      this.steps.push(step);
    };
    this.ended = this.run.run({ signal: this.cancel.signal, progress }).then(
      () => "done",
      (error: unknown) => error,
    );
  }

  get step(): string {
    return this.steps.at(-1) ?? "";
  }

  /** @param forgiven how many of those that failed count no longer. */
  resume(forgiven = 0): void {
    Object.assign(this.wave, { paused: false, pauseReason: "", forgiven });
    this.run.look();
  }

  /** Those that are under way. */
  get underWay(): number[] {
    return [...this.#acts.keys()].sort((a, b) => a - b);
  }

  /** Ends some of them, and lets what follows happen. */
  async end(indexes: readonly number[], error?: Error): Promise<void> {
    for (const index of indexes) {
      const act = this.#acts.get(index);
      this.#acts.delete(index);
      if (error === undefined) act?.resolve();
      else act?.reject(error);
    }
    await new Promise(setImmediate);
  }

  get states(): string[] {
    return this.wave.items.map(({ state }) => WaveItemState[state].slice("WAVE_ITEM_STATE_".length));
  }
}

describe("a run of a wave", () => {
  test("has no more under way than it may, and the next begins as soon as one ends", async () => {
    const rig = new Rig(4, {});
    expect(rig.underWay).toEqual([0, 1]);
    expect(rig.step).toBe("0 of 4 done, 2 under way");
    await rig.end([1]);
    expect(rig.underWay).toEqual([0, 2]);
    await rig.end([0, 2]);
    await rig.end([3]);
    expect(await rig.ended).toBe("done");
  });

  test("does the canaries before the others, and no other when one of them fails", async () => {
    const rig = new Rig(4, { canary: 1, maxFailures: 4, maxParallel: 4 });
    expect(rig.underWay).toEqual([0]);
    expect(rig.step).toBe("canary, 0 of 4 done, 1 under way");
    await rig.end([0]);
    expect(rig.underWay).toEqual([1, 2, 3]);

    const dead = new Rig(3, { canary: 1, maxFailures: 3 });
    await dead.end([0], new Error("no"));
    expect(await dead.ended).toMatchObject({
      reason: "WAVE_FAILED",
      message: expect.stringMatching(/among the canaries/),
    });
    expect(dead.states).toEqual(["FAILED", "SKIPPED", "SKIPPED"]);
  });

  test("waits for what is under way when more have failed than may, and says how many and which was the first", async () => {
    const rig = new Rig(5, { maxFailures: 1 });
    await rig.end([0], new Error("no"));
    expect(rig.underWay).toEqual([1, 2]);
    await rig.end([2], new Error("nor this"));
    expect(rig.underWay).toEqual([1]);
    await rig.end([1]);
    expect(await rig.ended).toMatchObject({
      message: expect.stringMatching(
        /^2 instances failed, more than the 1 that may; 2 were not begun; the first: hosts\/a\/instances\/0: /,
      ),
    });
    expect(rig.states).toEqual(["FAILED", "SUCCEEDED", "FAILED", "SKIPPED", "SKIPPED"]);
  });

  test("begins nothing while it is paused, and goes on when it is resumed", async () => {
    const rig = new Rig(3, {});
    rig.wave.paused = true;
    rig.run.look();
    await rig.end([0, 1]);
    expect(rig.underWay).toEqual([]);
    expect(rig.step).toBe("paused, 2 of 3 done");
    rig.wave.paused = false;
    rig.run.look();
    await rig.end([]);
    expect(rig.underWay).toEqual([2]);
    await rig.end([2]);
    expect(await rig.ended).toBe("done");
  });

  test("cancelled, it lets what is under way end and begins nothing else", async () => {
    const rig = new Rig(3, {});
    rig.cancel.abort();
    await rig.end([0]);
    expect(rig.underWay).toEqual([1]);
    await rig.end([1]);
    expect(await rig.ended).toMatchObject({ name: "AbortError" });
    expect(rig.states).toEqual(["SUCCEEDED", "SUCCEEDED", "SKIPPED"]);
  });

  test("ends at once with the hub, and the next run does again what was under way", async () => {
    const rig = new Rig(3, {});
    rig.stop.abort();
    rig.cancel.abort();
    await rig.end([0, 1], new Error("the hub ends"));
    expect(await rig.ended).toBe("done");
    expect(rig.states).toEqual(["RUNNING", "RUNNING", "PENDING"]);
    const states = [WaveItemState.WAVE_ITEM_STATE_SUCCEEDED, WaveItemState.WAVE_ITEM_STATE_RUNNING];
    expect(new Rig(3, {}, states).underWay).toEqual([1, 2]);
  });

  test("begins a batch when the one before has ended, and pauses after each where it is told to", async () => {
    const rig = new Rig(5, { canary: 1, batchSize: 2, pauseAfterBatch: true, maxFailures: 5 });
    expect(rig.underWay).toEqual([0]);
    await rig.end([0]);
    expect([rig.underWay, rig.paused]).toEqual([[], ["the canaries are done"]]);
    rig.resume();
    await rig.end([]);
    expect(rig.underWay).toEqual([1, 2]);
    await rig.end([1], new Error("no"));
    expect(rig.underWay).toEqual([2]);
    await rig.end([2]);
    expect(rig.step).toBe("paused (3 of 5 are done), 2 of 5 done, 1 failed");
    rig.resume();
    await rig.end([]);
    await rig.end([3, 4]);
    expect(await rig.ended).toBe("done");
  });

  test("waits before each batch as long as it is told to", async () => {
    const rig = new Rig(2, { batchSize: 1, batchPause: { seconds: 0n, nanos: 1_000_000 } });
    await rig.end([0]);
    await expect.poll(() => rig.underWay).toEqual([1]);
    // It may be over before anybody looks.
    expect(rig.steps).toContain("waits before the next batch, 1 of 2 done");
    await rig.end([1]);
    expect(await rig.ended).toBe("done");
  });

  test("takes the number that may fail from a percentage, and counts what nobody can tell the end of", async () => {
    const lost = new ZorError({ reason: "HOST_LOST", code: status.UNAVAILABLE, message: "lost" });
    const rig = new Rig(5, { maxFailuresPercent: 39 });
    await rig.end([0], lost);
    expect(rig.underWay).toEqual([1, 2]);
    expect(rig.step).toBe("0 of 5 done, 1 unconfirmed, 2 under way");
    await rig.end([1], new Error("no"));
    expect(rig.underWay).toEqual([2]);
    await rig.end([2]);
    expect(await rig.ended).toMatchObject({ message: expect.stringMatching(/^2 instances failed, more than the 1/) });
    expect(rig.states).toEqual(["UNCONFIRMED", "FAILED", "SUCCEEDED", "SKIPPED", "SKIPPED"]);
  });

  test("tells what is unconfirmed while its host is waited for, which counts as failed only at its end", async () => {
    const lost = new ZorError({ reason: "HOST_LOST", code: status.UNAVAILABLE, message: "hosts/a was lost" });
    const rig = new Rig(4, {});
    rig.told.get(0)?.waits(lost, true);
    rig.told.get(1)?.waits(lost, false);
    await rig.end([]);
    expect(rig.step).toBe("0 of 4 done, 1 unconfirmed, 1 under way");
    expect(rig.states).toEqual(["UNCONFIRMED", "RUNNING", "PENDING", "PENDING"]);
    expect(rig.wave.items[0]).toMatchObject({
      endTime: undefined,
      error: { message: "hosts/a was lost; it is asked again, and waited for" },
    });
    // The budget is none, and it is not spent: others go on.
    await rig.end([1]);
    expect(rig.underWay).toEqual([0, 2]);
    expect(rig.wave.items[1]?.error).toBeUndefined();
    rig.told.get(0)?.answered();
    expect(rig.wave.items[0]).toMatchObject({ error: undefined, state: WaveItemState.WAVE_ITEM_STATE_RUNNING });
    await rig.end([0]);
    rig.told.get(3)?.waits(lost, true);
    await rig.end([2]);
    expect(rig.states).toEqual(["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "UNCONFIRMED"]);
    await rig.end([3], lost);
    expect(rig.wave.items[3]?.endTime).toBeDefined();
    expect(await rig.ended).toMatchObject({ message: expect.stringMatching(/^1 instance failed, more than the 0/) });
  });

  test("asks again for what was unconfirmed and waited for when the hub ended, as for what was under way", async () => {
    const { WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed, WAVE_ITEM_STATE_RUNNING: running } = WaveItemState;
    const rig = new Rig(3, { maxParallel: 3 }, [unconfirmed, running]);
    expect(rig.underWay).toEqual([0, 1, 2]);
    expect([0, 1, 2].map((index) => rig.told.get(index)?.isAskedAgain)).toEqual([true, true, false]);
    await rig.end([0]);
    await rig.end([1]);
    await rig.end([2]);
    expect(await rig.ended).toBe("done");
  });

  test("pauses instead of ending when its budget is spent, and once resumed has a new one", async () => {
    const rig = new Rig(4, { pauseWhenSpent: true, maxParallel: 1, canary: 1 });
    await rig.end([0], new Error("no"));
    expect(rig.underWay).toEqual([]);
    expect(rig.step).toBe("paused (1 instance failed, more than the 0 that may), 0 of 4 done, 1 failed");
    rig.resume(1);
    await rig.end([]);
    await rig.end([1]);
    await rig.end([2], new Error("no"));
    expect([rig.underWay, rig.paused.length]).toEqual([[], 2]);
    rig.resume(2);
    await rig.end([]);
    await rig.end([3]);
    expect(await rig.ended).toBe("done");
  });

  test("ends when its caller may not do it any more; what is under way ends by itself", async () => {
    const rig = new Rig(4, { maxFailures: 4 });
    rig.isRefused = true;
    await rig.end([0]);
    expect(rig.underWay).toEqual([1]);
    await rig.end([1]);
    expect(await rig.ended).toMatchObject({ message: "revoked" });
    expect(rig.states).toEqual(["SUCCEEDED", "SUCCEEDED", "SKIPPED", "SKIPPED"]);
  });

  test("asks for nothing again that an earlier run has begun once its caller may not do it any more", async () => {
    const { WAVE_ITEM_STATE_SUCCEEDED: done, WAVE_ITEM_STATE_RUNNING: running } = WaveItemState;
    const rig = new Rig(5, { maxFailures: 4 }, [done, running, running], true);
    await rig.end([]);
    expect(rig.underWay).toEqual([]);
    expect(await rig.ended).toMatchObject({ message: "revoked" });
    expect(rig.states).toEqual(["SUCCEEDED", "UNCONFIRMED", "UNCONFIRMED", "SKIPPED", "SKIPPED"]);
    expect(rig.wave.items[1]?.error?.message).toContain("revoked");
  });

  test("waits for what is under way after it was cancelled, until it is given up", async () => {
    const rig = new Rig(4, { maxParallel: 3 });
    rig.cancel.abort(new Error("cancelled"));
    await rig.end([0]);
    expect(rig.states).toEqual(["SUCCEEDED", "RUNNING", "RUNNING", "PENDING"]);
    const lost = new ZorError({ reason: "HOST_LOST", code: status.UNAVAILABLE, message: "lost" });
    rig.told.get(2)?.waits(lost, true);
    rig.run.giveUp();
    expect(await rig.ended).toMatchObject({ message: "cancelled" });
    const states = ["SUCCEEDED", "UNCONFIRMED", "UNCONFIRMED", "SKIPPED"];
    expect(rig.states).toEqual(states);
    expect(rig.wave.items[1]?.error?.message).toContain("look at it");
    // What ends after all changes nothing any more.
    await rig.end([1]);
    await rig.end([2], new Error("no"));
    expect(rig.states).toEqual(states);
  });

  test("finds out what became of what an earlier run has begun, also when it is paused", async () => {
    const rig = new Rig(3, { pauseWhenSpent: true }, [
      WaveItemState.WAVE_ITEM_STATE_FAILED,
      WaveItemState.WAVE_ITEM_STATE_RUNNING,
    ]);
    expect(rig.underWay).toEqual([1]);
    await rig.end([1]);
    expect(rig.states).toEqual(["FAILED", "SUCCEEDED", "PENDING"]);
  });
});

import { describe, expect, it } from "vitest";
import { Operation, OperationState } from "../../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItemState } from "../../../../proto/gen/zor/v1/wave.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

const operation = "operations/w1";
const { OPERATION_STATE_RUNNING: running, OPERATION_STATE_FAILED: failed } = OperationState;
const states = {
  done: WaveItemState.WAVE_ITEM_STATE_SUCCEEDED,
  failed: WaveItemState.WAVE_ITEM_STATE_FAILED,
  unconfirmed: WaveItemState.WAVE_ITEM_STATE_UNCONFIRMED,
  underWay: WaveItemState.WAVE_ITEM_STATE_RUNNING,
  waits: WaveItemState.WAVE_ITEM_STATE_PENDING,
  skipped: WaveItemState.WAVE_ITEM_STATE_SKIPPED,
};

const vm = (index: number): string => `hosts/alpha/instances/vm${index}`;

function wave(given: Partial<Wave>, itemStates: readonly WaveItemState[]): Wave {
  const items = itemStates.map((state, index) => ({
    ...{ name: vm(index), state, beginTime: new Date(1_699_999_990_000) },
    ...(state === states.failed ? { error: { message: "no memory \u001b[2Jis left" } } : {}),
  }));
  const spec = {
    ...{ method: "zor.v1.InstanceService/StopInstance", names: items.map(({ name }) => name) },
    ...{ maxParallel: 8, canary: 1, batchSize: 4, maxFailures: 2, pauseWhenSpent: true },
  };
  return Wave.fromPartial({ name: operation, spec, items, caller: "zor://user/ana", released: 4, ...given });
}

/** The screen of a wave that is told of when a test says so. */
function onWave(instances = 6): TestProgram {
  const program = makeProgram();
  const { model, press } = program;
  feedFleet(model, { hosts: 1, instancesPerHost: instances, nowMs: model.nowMs });
  const value = Operation.fromPartial({ name: operation, verb: "wave.StopInstance", state: running });
  model.fleet.apply(upsert({ kind: "operation", value }), model.nowMs);
  press(":", ..."wave", "enter");
  return program;
}

function tell({ gateway }: TestProgram, news: Wave): void {
  gateway.followed.get(operation)?.onNews(news, news.items);
}

function shown({ model }: TestProgram, { width = 80, height = 22 } = {}): string {
  const { lines } = model.screen.draw(width, height);
  return lines.map(({ line }) => line.map(({ text }) => text).join("")).join("\n");
}

describe("the screen of a wave", () => {
  it.each([60, 80, 200])("tells all states apart, those that went wrong first, in %i columns", (width) => {
    const program = onWave();
    expect(shown(program, { width })).toContain("looking");
    const { done, failed: bad, unconfirmed, underWay, waits } = states;
    tell(program, wave({ state: running }, [done, done, bad, unconfirmed, underWay, waits]));
    const text = shown(program, { width });
    expect(text.split("\n").every((line) => line.length <= width)).toBe(true);
    expect(text).toMatch(/^ stop 6 instances {2}◐ running/);
    expect(text).toContain("2 of 6 done");
    const bar = text.split("\n")[1] ?? "";
    for (const sign of ["█", "✗", "?", "▒", "·"]) expect(bar).toContain(sign);
    expect(text).toContain("at most 8 at a time; 1 canary; batches of 4");
    const order = ["failed (1)", "unconfirmed (1)", "under way (1)", "waits (1)", "done (2)"];
    expect(order.map((each) => text.indexOf(each))).toEqual(
      order.map((each) => text.indexOf(each)).toSorted((a, b) => a - b),
    );
    expect(text).toMatch(/✗ alpha\/vm2 .*10s {2}no memory/);
    expect(text).not.toContain("\u001b");
  });

  it("pauses, and says why it is paused by itself; resumes, cancels when that is confirmed, and begins again", async () => {
    const program = onWave();
    const { press, gateway, model } = program;
    const { done, failed: bad, waits, skipped } = states;
    tell(program, wave({ state: running }, [done, waits]));
    press("p");
    expect(gateway.calls.at(-1)).toBe(`pause ${operation}`);
    const pauseReason = "2 of 2 that may fail have failed";
    tell(program, wave({ state: running, paused: true, pauseReason }, [done, bad, waits]));
    expect(shown(program)).toContain(`‖ paused: ${pauseReason}`);
    press("p");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "y", impact: { action: { verb: "stop" } } });
    expect(gateway.calls.at(-1)).toBe(`pause ${operation}`);
    press("y");
    expect(gateway.calls.at(-1)).toBe(`resume ${operation}`);
    press("x");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "cancel" } } });
    expect(gateway.calls.at(-1)).toBe(`resume ${operation}`);
    press("y");
    await eventually(() => expect(gateway.calls).toContain(`cancel ${operation}`));
    tell(program, wave({ state: failed }, [done, bad, skipped]));
    press("p", "x");
    expect(model.prompt).toBeUndefined();
    press("r");
    expect(model.prompt).toMatchObject({
      phrase: "y",
      impact: { changes: [{ subject: "alpha/vm1" }, { subject: "alpha/vm2" }] },
    });
    press("n", "r", "y");
    await eventually(() => expect(gateway.calls).toContain("watch operations/next"));
    expect(gateway.calls).toContain(`again ${operation}`);
    press("esc");
    await eventually(() => expect(gateway.calls).toContain("left operations/next"));
  });

  it("asks before a wave of what nobody here knows goes on, of one that only starts when it is begun again", () => {
    const program = onWave();
    const { press, gateway, model } = program;
    const { done, waits, skipped } = states;
    const of = (method: string): Wave["spec"] => {
      const { spec } = wave({}, [done]);
      return spec === undefined ? undefined : { ...spec, method: `zor.v1.InstanceService/${method}` };
    };
    tell(program, wave({ state: running, paused: true, spec: of("StartInstance") }, [done, waits]));
    press("p");
    expect(gateway.calls.at(-1)).toBe(`resume ${operation}`);
    tell(program, wave({ state: running, paused: true, spec: of("MeltInstance") }, [done, waits]));
    press("p");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "melt" } } });
    press("esc");
    tell(program, wave({ state: failed, spec: of("StartInstance") }, [skipped, skipped]));
    press("r");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "y" });
    press("n");
    tell(program, wave({ state: failed, spec: of("DeleteInstance") }, [skipped, skipped]));
    press("r");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "2" });
    press("esc");
    expect(gateway.calls.filter((call) => call.startsWith("again"))).toEqual([]);
  });

  it("says that the hub is away, and what it refuses, and goes to what the cursor is on", async () => {
    const program = onWave();
    const { press, gateway, model } = program;
    tell(program, wave({ state: running }, [states.waits, states.waits]));
    gateway.followed.get(operation)?.onTrouble("the hub is away");
    expect(shown(program)).toContain("! the hub is away");
    tell(program, wave({ state: running }, [states.waits, states.waits]));
    expect(shown(program)).not.toContain("away");
    gateway.waves.pause = async () => await Promise.reject(new Error("you may not"));
    press("p");
    await eventually(() => expect(model.notice?.text).toBe("cannot pause: you may not"));
    press("j", "enter");
    expect(model.screen.subject()?.name).toBe(vm(1));
  });

  it("comes when much is done at once, and what waits for its turn is not given up meanwhile", async () => {
    const program = makeProgram();
    const { press, gateway, model, clock } = program;
    feedFleet(model, { hosts: 1, instancesPerHost: 12, nowMs: model.nowMs });
    gateway.hasWaves = true;
    gateway.waveSkips.push(vm(11));
    press("2", ...Array.from({ length: 12 }, () => "space"), "ctrl-d", "1", "2", "enter");
    await eventually(() => expect(gateway.calls).toContain("watch operations/w"));
    expect(model.screen.title()).toContain("wave");
    expect(model.notice?.text).toMatch(/delete of alpha\/vm11 was not begun: its wave had ended/);
    const { fleet } = model;
    expect(fleet.pending.has(vm(11))).toBe(false);
    fleet.queuePending(vm(0), true, clock.nowMs);
    const later = clock.nowMs + 600_000;
    const value = Operation.fromPartial({ name: operation, verb: "wave.DeleteInstance", state: running });
    fleet.apply(upsert({ kind: "operation", value }), later);
    expect(fleet.expirePending(later).map(({ name }) => name)).toEqual(
      Array.from({ length: 10 }, (_, index) => vm(index + 1)),
    );
    expect(fleet.pending.has(vm(0))).toBe(true);
    press("esc", "esc");
    expect(model.screen.title()).toContain("instances");
  });
});

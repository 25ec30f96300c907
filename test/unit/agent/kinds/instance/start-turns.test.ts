import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { StartTurns } from "../../../../../agent/kinds/instance/start-turns.js";
import { InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { InstanceWorld, make, options } from "./instance-world.js";

const { signal } = options;

describe("turns of starting instances", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Takes a turn for each; tells whose came, in order. */
  function queue(turns: StartTurns, uids: readonly string[]): string[] {
    const came: string[] = [];
    for (const uid of uids) void turns.take(uid, signal).then(() => came.push(uid));
    return came;
  }

  it("come in the order of asking, as many at once as there may be", async () => {
    const turns = new StartTurns(2);
    const came = queue(turns, ["a", "b", "c", "d"]);
    await vi.advanceTimersByTimeAsync(0);
    expect(came).toEqual(["a", "b"]);
    turns.end("b");
    await vi.advanceTimersByTimeAsync(0);
    expect(came).toEqual(["a", "b", "c"]);
    turns.end("nobody's");
    await vi.advanceTimersByTimeAsync(0);
    expect(came).toEqual(["a", "b", "c"]);
  });

  it("pass on from a guest that never tells that it is up", async () => {
    const turns = new StartTurns(1);
    const came = queue(turns, ["mute", "next"]);
    await vi.advanceTimersByTimeAsync(14_999);
    expect(came).toEqual(["mute"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(came).toEqual(["mute", "next"]);
  });

  it("are given up by who waits no more, and do not stop who comes after", async () => {
    const turns = new StartTurns(1);
    const cancel = new AbortController();
    await turns.take("a", signal);
    const gone = turns.take("b", cancel.signal);
    const came = queue(turns, ["c"]);
    cancel.abort();
    await expect(gone).rejects.toMatchObject({ name: "AbortError" });
    turns.end("a");
    await vi.advanceTimersByTimeAsync(0);
    expect(came).toEqual(["c"]);
  });

  it("count what boots without having waited, with its memory", async () => {
    const turns = new StartTurns(1);
    turns.begin("asked for", 512);
    const came = queue(turns, ["one of many"]);
    await vi.advanceTimersByTimeAsync(0);
    expect([came, turns.promisedMib]).toEqual([[], 512]);
    turns.end("asked for");
    await vi.advanceTimersByTimeAsync(0);
    expect([came, turns.promisedMib]).toEqual([["one of many"], 0]);
  });
});

describe("an instance that the host has no memory for", () => {
  let world: InstanceWorld;

  beforeEach(async () => {
    world = await InstanceWorld.create();
  });
  afterEach(() => world.destroy());

  it("is not started, with what is missing and what can be done; one that takes none in advance is", async () => {
    world.memoryReserveMib = 2 ** 30;
    const manager = await world.agent();
    await make(manager, "c1", { leaveStopped: true });
    world.driver.takesMemory = true;
    await expect(manager.act("start", "c1", options)).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "HOST_MEMORY",
      message: expect.stringMatching(/^hosts\/h1\/instances\/c1 asks for 128 MiB .*memoryReserveMib/),
    });
    expect(world.driver.calls).not.toContain("start c1");
    world.driver.takesMemory = false;
    await manager.act("start", "c1", options);
    expect(manager.get("c1").status?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
  });
});

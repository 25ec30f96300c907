import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { ZorError } from "../../../../lib/errors.js";
import type { Calls } from "../../../../lib/grpc/connection.js";
import { OperationState } from "../../../../proto/gen/zor/v1/operation.js";
import { Wave, WaveItem, WaveItemState } from "../../../../proto/gen/zor/v1/wave.js";
import { watchWave } from "../../../../tui/client/watch-wave.js";

const item = (name: string, state: WaveItemState, given: Partial<WaveItem> = {}): WaveItem =>
  WaveItem.fromPartial({ name, state, ...given });
const wave = (items: WaveItem[], state = OperationState.OPERATION_STATE_RUNNING): Wave =>
  Wave.fromPartial({ name: "operations/w", items, state });

test("a wave is put together from what has changed, through a restart of the hub, and ends with it", async () => {
  const {
    WAVE_ITEM_STATE_PENDING: waits,
    WAVE_ITEM_STATE_RUNNING: runs,
    WAVE_ITEM_STATE_SUCCEEDED: done,
  } = WaveItemState;
  const streams = [
    [wave([item("a", waits), item("b", waits)]), wave([item("a", runs)])],
    [wave([item("a", done), item("b", runs)]), wave([item("b", done)], OperationState.OPERATION_STATE_SUCCEEDED)],
  ];
  const calls: Pick<Calls, "stream"> = {
    stream: async function* () {
      for (const each of streams.shift() ?? []) yield { wave: each };
      throw new ZorError({ reason: "LOST", code: status.UNAVAILABLE, message: "the hub ends" });
    } as unknown as Calls["stream"],
  };
  const told: string[] = [];
  await watchWave(calls as Calls, "operations/w", {
    signal: new AbortController().signal,
    onNews: ({ items }, changed) =>
      told.push(`${items.map(({ state }) => state).join("")} ${changed.map(({ name }) => name).join("")}`),
    onTrouble: (text) => told.push(text),
  });
  expect(told).toEqual(["11 ab", "21 a", "the hub was lost (the hub ends); trying again", "32 ab", "33 b"]);
});

test("what is unconfirmed is news once more when it is waited for no longer", async () => {
  const { WAVE_ITEM_STATE_UNCONFIRMED: unconfirmed } = WaveItemState;
  const ended = item("a", unconfirmed, { endTime: new Date(1) });
  const calls: Pick<Calls, "stream"> = {
    stream: async function* () {
      yield { wave: wave([item("a", unconfirmed), item("b", unconfirmed)]) };
      yield { wave: wave([ended, item("b", unconfirmed)]) };
      yield { wave: wave([ended], OperationState.OPERATION_STATE_FAILED) };
    } as unknown as Calls["stream"],
  };
  const told: string[] = [];
  await watchWave(calls as Calls, "operations/w", {
    signal: new AbortController().signal,
    onNews: (_, changed) => told.push(changed.map(({ name }) => name).join("")),
    onTrouble: (text) => told.push(text),
  });
  expect(told).toEqual(["ab", "a", ""]);
});

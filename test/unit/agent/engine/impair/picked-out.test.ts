import { expect, test } from "vitest";
import { needsSingleFrames, noImpairment } from "../../../../../agent/engine/impair/settings.js";
import { readBpfProgram } from "../../../../../agent/engine/protocol/drop-program.js";
import { packInstructions } from "../../../../../agent/network/captures/bpf.js";
import { PipelineRig } from "./pipeline-rig.js";

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** Frames of more than 100 bytes. */
const large = readBpfProgram(
  packInstructions([
    [0x80, 0, 0, 0],
    [0x25, 0, 1, 100],
    [6, 0, 0, 1],
    [6, 0, 0, 0],
  ]),
);

test("exactly every nth frame is dropped and counted, however often it is set again to the same", () => {
  const rig = new PipelineRig({ dropEvery: 4 });
  for (const index of range(20)) {
    rig.feed();
    if (index === 9) rig.set({ dropEvery: 4, delayMs: 0, rateBps: 0 });
  }
  expect(rig.numbers()).toEqual(range(20).filter((number) => number % 4 !== 3));
  expect([rig.count("droppedNthFrames"), rig.count("lostFrames")]).toEqual([5, 0]);
});

test("another n counts from the beginning, and 1 lets nothing pass", () => {
  const rig = new PipelineRig({ dropEvery: 3 });
  for (const _ of range(2)) rig.feed();
  rig.set({ dropEvery: 2 });
  for (const _ of range(4)) rig.feed();
  expect(rig.numbers()).toEqual([0, 1, 2, 4]);
  rig.set({ dropEvery: 1 });
  for (const _ of range(3)) rig.feed();
  expect(rig.numbers()).toHaveLength(4);
});

test("frames that match are dropped and counted, and every nth is of the others", () => {
  const rig = new PipelineRig({ dropProgram: large, dropEvery: 3 });
  for (const index of range(12)) rig.feed(index % 2 === 0 ? 64 : 200);
  expect(rig.numbers()).toEqual([0, 2, 6, 8]);
  expect([rig.count("droppedFilterFrames"), rig.count("droppedNthFrames")]).toEqual([6, 2]);
  rig.set({});
  rig.feed(200);
  expect(rig.numbers().at(-1)).toBe(12);
});

test("what is picked out does not change what chance decides of the others", () => {
  const lossy = (settings: object) => {
    const rig = new PipelineRig({ lossRatio: 0.3, ...settings }, 5n);
    for (const index of range(400)) rig.feed(index % 3 === 0 ? 200 : 64);
    return rig.numbers();
  };
  expect(lossy({ dropProgram: large })).toEqual(lossy({}).filter((number) => number % 3 !== 0));
});

test("a super-frame that matches goes whole; every nth needs single frames, a filter does not", () => {
  const rig = new PipelineRig({ dropProgram: large });
  const header = Buffer.alloc(12);
  header[1] = 5;
  header.writeUInt16LE(1_000, 4);
  header.writeUInt16LE(34, 6);
  rig.feed(42 + 3_000, header);
  expect([rig.count("droppedFilterFrames"), rig.count("inFrames"), rig.sent.length]).toEqual([3, 3, 0]);
  expect(needsSingleFrames({ ...noImpairment, dropProgram: large })).toBe(false);
  expect(needsSingleFrames({ ...noImpairment, dropEvery: 5 })).toBe(true);
});

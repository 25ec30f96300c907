import { expect, test } from "vitest";
import { SpinWindow } from "../../../../../agent/engine/frames/spin-window.js";

const superFrame = 64 * 1024;

test("a thread that moves nothing sleeps at once", () => {
  const window = new SpinWindow();
  for (const waitedMs of [0.001, 0.02, 250]) window.waited(waitedMs, 0);
  expect(window.ms).toBe(0);
});

test("bulk traffic with short gaps makes it look for longer, up to a bound", () => {
  const window = new SpinWindow();
  const seen = Array.from({ length: 6 }, () => {
    window.waited(0.02, superFrame);
    return window.ms;
  });
  expect(seen).toEqual([0.01, 0.02, 0.04, 0.08, 0.1, 0.1]);
});

test("small frames do not, however short their gaps", () => {
  const window = new SpinWindow();
  for (let turn = 0; turn < 10; turn += 1) window.waited(0.005, 15_000);
  expect(window.ms).toBe(0);
});

test("long gaps take it back to nothing", () => {
  const window = new SpinWindow();
  for (let turn = 0; turn < 5; turn += 1) window.waited(0.02, superFrame);
  const seen = Array.from({ length: 5 }, () => {
    window.waited(3, superFrame);
    return window.ms;
  });
  expect(seen).toEqual([0.05, 0.025, 0.0125, 0.00625, 0]);
});

test("the end of bulk traffic does so too", () => {
  const window = new SpinWindow();
  for (let turn = 0; turn < 4; turn += 1) window.waited(0.02, superFrame);
  for (let turn = 0; turn < 5; turn += 1) window.waited(0.02, 60);
  expect(window.ms).toBe(0);
});

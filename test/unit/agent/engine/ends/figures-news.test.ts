import { expect, test } from "vitest";
import { FiguresNews } from "../../../../../agent/engine/ends/figures-news.js";
import { type Figures, readFigures } from "../../../../../agent/engine/frames/stats.js";

const figures: Figures = { ...readFigures(undefined), rttMs: 1, rttP99Ms: 2 };

test("the first figures are told, and the same ones again only after five seconds", () => {
  const news = new FiguresNews();
  const told = [0, 1_000, 4_000, 5_000, 6_000, 10_000].map((nowMs) => news.sample(figures, nowMs));
  expect(told).toEqual([true, false, false, true, false, true]);
});

test.each<[keyof Figures]>([
  ["txFrames"],
  ["rxFrames"],
  ["droppedQueueFrames"],
  ["droppedDownFrames"],
  ["droppedPortFrames"],
  ["lossRatio"],
  ["mtuProven"],
])("a change of %s is told at once", (name) => {
  const news = new FiguresNews();
  news.sample(figures, 0);
  expect(news.sample({ ...figures, [name]: 0.5 }, 1_000)).toBe(true);
  expect(news.sample({ ...figures, [name]: 0.5 }, 2_000)).toBe(false);
});

test("after the last frame it is told until the throughput is back at nothing", () => {
  const news = new FiguresNews();
  const told = [0, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000].map((txBytes, at) => {
    const isTold = news.sample({ ...figures, txBytes, txFrames: txBytes }, at * 1_000 + 1);
    return [isTold, news.rates().txBps];
  });
  expect(told).toEqual([
    [true, 0],
    [true, 8_000],
    [true, 8_000],
    [true, 4_000],
    [true, 0],
    [false, 0],
    [false, 0],
  ]);
});

test("a round trip is told when it has moved, not when it trembles", () => {
  const news = new FiguresNews();
  news.sample(figures, 0);
  expect(news.sample({ ...figures, rttMs: 1.15 }, 1_000)).toBe(false);
  expect(news.sample({ ...figures, rttP99Ms: 2.4 }, 1_000)).toBe(false);
  expect(news.sample({ ...figures, rttMs: 1.4 }, 2_000)).toBe(true);
  expect(news.sample({ ...figures, rttMs: 1.4, rttP99Ms: 40 }, 3_000)).toBe(true);
  expect(news.sample({ ...figures, rttMs: 1, rttP99Ms: 2 }, 4_000)).toBe(true);
});

test("small changes of a long round trip are no news, however many milliseconds they are", () => {
  const news = new FiguresNews();
  const far = { ...figures, rttMs: 300, rttP99Ms: 310 };
  news.sample(far, 0);
  expect(news.sample({ ...far, rttMs: 330, rttP99Ms: 350 }, 1_000)).toBe(false);
  expect(news.sample({ ...far, rttP99Ms: 800 }, 2_000)).toBe(true);
});

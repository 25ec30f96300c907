import { appendFile, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { History, type HistoryNews } from "../../../../agent/figures/history/history.js";
import { layoutFor } from "../../../../agent/figures/history/layout.js";
import { fromSmall, nothing, toSmall } from "../../../../agent/figures/history/small-number.js";
import { Subjects } from "../../../../agent/figures/subject.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";

const fileMib = 4;
const begin = Date.UTC(2026, 0, 31, 12);
const name = "hosts/alpha/instances/vm1";

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "zor-figures-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, "figures", "history");
}

async function keep(path: string, news: HistoryNews[] = [], rows?: readonly [number, number]) {
  const clock = { number: 1, elapsedMs: 1000 };
  const subjects = new Subjects(clock);
  const history = await History.open({
    path,
    fileMib,
    ...(rows === undefined ? {} : { rows }),
    onNews: (each) => news.push(each),
  });
  const record = (timeMs: number): void => {
    history.record({ number: clock.number, timeMs, subjects: subjects.all });
    clock.number += 1;
  };
  return { history, subjects, record };
}

/** Values of the CPU of the instance, with seconds since the begin. */
async function readCpu(history: History, startMs = begin, endMs = begin + 86_400_000): Promise<number[][]> {
  const [group] = history.groupsOf(name);
  if (group === undefined) return [];
  const points = (await history.read(group, { startMs, endMs })).get(Figure.FIGURE_CPU) ?? [];
  return points.map(({ timeMs, value }) => [(timeMs - begin) / 1000, value]);
}

test.each([0, 1, 1023, 1024, 2047, 2048, 123_456, 9_999_999_999, 2 ** 50])("%d fits into 16 bits", (value) => {
  expect(Math.abs((fromSmall(toSmall(value)) ?? 0) - value)).toBeLessThanOrEqual(value / 2000);
  expect(toSmall(value)).toBeLessThan(nothing);
});

test("a file has the size that was asked for, and room for hundreds of instances", () => {
  const layout = layoutFor(64);
  expect(layout.fileBytes).toBeLessThanOrEqual(64 * 2 ** 20);
  expect(layout.columns).toBeGreaterThan(6000);
});

test("samples are there again after the agent has ended, and go on", async () => {
  const path = await place();
  const first = await keep(path);
  const cpu = first.subjects.add(name, "", [Figure.FIGURE_CPU, Figure.FIGURE_CPU_TIME]);
  cpu.set(0, 250);
  first.record(begin);
  cpu.set(0, 1500);
  first.record(begin + 1000);
  await first.history.close();
  first.record(begin + 2000);
  const second = await keep(path);
  second.subjects.add(name, "", [Figure.FIGURE_CPU, Figure.FIGURE_CPU_TIME]).set(0, 40);
  second.record(begin + 3000);
  await expect
    .poll(() => readCpu(second.history))
    .toEqual([
      [0, 250],
      [1, 1500],
      [3, 40],
    ]);
  await second.history.close();
});

test("what fell out of the ring of seconds is there by the minute", async () => {
  const { history, subjects, record } = await keep(await place(), [], [30, 1440]);
  const cpu = subjects.add(name, "", [Figure.FIGURE_CPU]);
  for (let second = 0; second < 160; second += 2) {
    cpu.set(0, second < 60 ? 100 : second < 120 ? 300 : 7);
    record(begin + second * 1000);
    await history.written();
  }
  const read = await readCpu(history);
  expect(read.slice(0, 3)).toEqual([
    [0, 100],
    [60, 300],
    [100, 300],
  ]);
  expect(read).toHaveLength(32);
  await history.close();
});

test("a torn row is left out and told; all others are there", async () => {
  const path = await place();
  const { history, subjects, record } = await keep(path);
  const cpu = subjects.add(name, "", [Figure.FIGURE_CPU]);
  for (const second of [0, 1, 2]) {
    cpu.set(0, second + 1);
    record(begin + second * 1000);
  }
  await history.close();
  const { rings, rowBytes } = layoutFor(fileMib);
  const file = await open(path, "r+");
  await file.write(Buffer.from([0x55]), 0, 1, rings[0].offset + rowBytes + 24);
  await file.close();
  const news: HistoryNews[] = [];
  const again = await keep(path, news);
  expect(await readCpu(again.history)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(news).toEqual([{ kind: "lost", message: "1 rows of the file of figures are torn and left out" }]);
  await again.history.close();
});

test.each([
  ["cut off", (path: string) => truncate(path, 100_000), /too short/],
  ["of something else", (path: string) => writeFile(path, "nothing of ours".repeat(1000)), /torn/],
  ["longer than it should be", (path: string) => appendFile(path, "x"), /torn/],
])("a file that is %s begins anew, which is told", async (_, damage, expected) => {
  const path = await place();
  await (await keep(path)).history.close();
  await damage(path);
  const news: HistoryNews[] = [];
  const { history, subjects, record } = await keep(path, news);
  expect(news.map(({ kind, message }) => [kind, expected.test(message)])).toEqual([["lost", true]]);
  subjects.add(name, "", [Figure.FIGURE_CPU]).set(0, 3);
  record(begin);
  await history.written();
  expect(await readCpu(history)).toEqual([[0, 3]]);
  await history.close();
});

test("what has no room is told once, and nothing else suffers", async () => {
  const news: HistoryNews[] = [];
  const { history, subjects, record } = await keep(await place(), news);
  const { columns } = layoutFor(fileMib);
  subjects.add(name, "", [Figure.FIGURE_CPU]).set(0, 3);
  for (let index = 0; index <= columns; index++)
    subjects.add(`hosts/alpha/instances/m${index}`, "", [Figure.FIGURE_CPU]);
  record(begin);
  record(begin + 1000);
  expect(news.map(({ kind }) => kind)).toEqual(["full"]);
  await history.written();
  expect(await readCpu(history)).toHaveLength(2);
  await history.close();
});

import { expect, test } from "vitest";
import { Subjects } from "../../../../agent/figures/subject.js";
import { FigureDecoder } from "../../../../lib/figures/decoder.js";
import { FigureEncoder } from "../../../../lib/figures/encoder.js";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { WatchFiguresRequest, WatchFiguresResponse } from "../../../../proto/gen/zor/v1/figures_service.js";

const { FIGURE_CPU, FIGURE_MEMORY, FIGURE_CPU_TIME } = Figure;

function collecting() {
  const clock = { number: 0, elapsedMs: 0 };
  const subjects = new Subjects(clock);
  const sample = (elapsedMs = 1000) => {
    clock.number += 1;
    clock.elapsedMs = elapsedMs;
    return { number: clock.number, timeMs: clock.number * 1000, subjects: subjects.all };
  };
  return { clock, subjects, sample };
}

/** Over the wire and back. */
function passed(response: WatchFiguresResponse | undefined): WatchFiguresResponse {
  return WatchFiguresResponse.decode(WatchFiguresResponse.encode(response ?? WatchFiguresResponse.create()).finish());
}

test("what changes is all that goes over the wire, and the watcher has every value", () => {
  const { subjects, sample } = collecting();
  const encoder = new FigureEncoder("alpha", WatchFiguresRequest.create());
  const decoder = new FigureDecoder();
  const names = ["a", "b", "c"].map((id) => `hosts/alpha/instances/${id}`);
  const all = names.map((name) => subjects.add(name, "", [FIGURE_CPU, FIGURE_MEMORY]));
  let at = sample();
  for (const [index, subject] of all.entries()) subject.set(1, 1_000_000_000_000 + index);
  const first = passed(encoder.encode(at));
  expect(first.anew).toBe(true);
  decoder.take(first);
  at = sample();
  all[2]?.set(0, 250);
  const second = passed(encoder.encode(at));
  expect(second).toMatchObject({ subjects: [], steps: [5], changes: [250n], anew: false });
  decoder.take(second);
  at = sample();
  all[2]?.set(0, 0);
  decoder.take(passed(encoder.encode(at)));
  expect(encoder.encode(sample())).toBeUndefined();
  const values = [...decoder.all()].map(({ name, values: each }) => [name, ...each.values()]);
  expect(values).toEqual(names.map((name, index) => [name, 0, 1_000_000_000_000 + index]));
});

test("what is gone is told, and numbers of others stay", () => {
  const { subjects, sample } = collecting();
  const encoder = new FigureEncoder("alpha", WatchFiguresRequest.create());
  const decoder = new FigureDecoder();
  const one = subjects.add("hosts/alpha/instances/a", "", [FIGURE_CPU]);
  let at = sample();
  one.set(0, 5);
  decoder.take(passed(encoder.encode(at)));
  subjects.remove(one);
  at = sample();
  subjects.add("hosts/alpha/instances/b", "", [FIGURE_CPU]).set(0, 7);
  decoder.take(passed(encoder.encode(at)));
  const left = [...decoder.all()].map(({ name, values }) => [name, values.get(FIGURE_CPU)]);
  expect(left).toEqual([["hosts/alpha/instances/b", 7]]);
});

test.each([
  [{ kinds: ["instance"] }, ["hosts/alpha/instances/a"]],
  [{ names: ["hosts/alpha"] }, ["hosts/alpha"]],
  [{ names: ["hosts/alpha"], parts: true }, ["hosts/alpha", "hosts/alpha disk:sda"]],
  [{ figures: [FIGURE_MEMORY] }, ["hosts/alpha"]],
  [{ kinds: ["link"] }, ["links/l hosts/alpha/lans/x"]],
])("a selection %j takes %j", (selection, expected) => {
  const { subjects, sample } = collecting();
  subjects.add("hosts/alpha", "", [FIGURE_CPU, FIGURE_MEMORY]);
  subjects.add("hosts/alpha", "disk:sda", [FIGURE_CPU]);
  subjects.add("hosts/alpha/instances/a", "", [FIGURE_CPU]);
  subjects.add("links/l", "hosts/alpha/lans/x", [FIGURE_CPU]);
  const decoder = new FigureDecoder();
  decoder.take(passed(new FigureEncoder("alpha", WatchFiguresRequest.fromPartial(selection)).encode(sample())));
  expect([...decoder.all()].map(({ name, part }) => (part === "" ? name : `${name} ${part}`))).toEqual(expected);
});

test("a rate is what came in a second; a total that begins anew is no traffic", () => {
  const { subjects, sample } = collecting();
  const one = subjects.add("hosts/alpha", "", [FIGURE_CPU, FIGURE_CPU_TIME]);
  const rates = [500, 1500, 1500, 100, 600].map((total) => {
    sample(2000);
    one.count(0, 1, total);
    return one.values[0];
  });
  expect(rates).toEqual([0, 500, 0, 0, 250]);
});

test("a value that was not named is refused, and a host that begins anew forgets", () => {
  const decoder = new FigureDecoder();
  const wrong = WatchFiguresResponse.fromPartial({ host: "hosts/alpha", anew: true, steps: [3], changes: [1n] });
  expect(() => decoder.take(wrong)).toThrow("has not named");
  const subjects = [{ number: 0, name: "hosts/alpha", part: "", figures: [FIGURE_CPU] }];
  const right = WatchFiguresResponse.fromPartial({
    host: "hosts/alpha",
    anew: true,
    subjects,
    steps: [1],
    changes: [9n],
  });
  decoder.take(right);
  decoder.take(right);
  expect([...decoder.all()].map(({ values }) => values.get(FIGURE_CPU))).toEqual([9]);
});

test("a watch that lasts while things come and go numbers them anew from time to time", () => {
  const { subjects, sample } = collecting();
  const encoder = new FigureEncoder("alpha", WatchFiguresRequest.create());
  const decoder = new FigureDecoder(20_000);
  const stays = subjects.add("hosts/alpha/instances/stays", "", [FIGURE_CPU]);
  let anew = 0;
  for (let round = 0; round < 30_000; round += 1) {
    const at = sample();
    stays.set(0, round);
    const goes = subjects.add(`hosts/alpha/instances/i${round}`, "", [FIGURE_MEMORY]);
    const response = passed(encoder.encode(at));
    anew += response.anew ? 1 : 0;
    // One with room for 20,000 values takes them all.
    decoder.take(response);
    subjects.remove(goes);
  }
  expect(anew).toBe(3);
  const left = [...decoder.all()].map(({ name, values }) => [name, [...values.values()]]);
  expect(left).toContainEqual(["hosts/alpha/instances/stays", [29_999]]);
  expect(left).toHaveLength(2);
});

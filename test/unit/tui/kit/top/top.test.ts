import { expect, test } from "vitest";
import type { Watched } from "../../../../../lib/figures/decoder.js";
import { Figure } from "../../../../../proto/gen/zor/v1/figures.js";
import { drawTop, pageOf, pressKey, startState } from "../../../../../tui/kit/top/screen.js";
import { topRows } from "../../../../../tui/kit/top/views.js";

const instance = (name: string, cpu: number, memory = 0): Watched => ({
  ...{ host: "hosts/alpha", name: `hosts/alpha/instances/${name}`, part: "" },
  values: new Map([
    [Figure.FIGURE_CPU, cpu],
    [Figure.FIGURE_MEMORY, memory],
  ]),
});
const link: Watched = { host: "hosts/beta", name: "links/demo", part: "hosts/beta/lans/lan1", values: new Map() };
const all = [instance("a", 10, 5e9), instance("b", 1500), instance("c", 10), link];
const names = (state: ReturnType<typeof startState>) => topRows(all, state.view, state).map(({ name }) => name);
const press = (...keys: readonly string[]) =>
  keys.reduce((state, key) => pressKey(state, key, 10), startState("instances"));

test.each([
  [[], ["alpha/b", "alpha/a", "alpha/c"]],
  [["r"], ["alpha/a", "alpha/c", "alpha/b"]],
  [
    [">", ">"],
    ["alpha/a", "alpha/b", "alpha/c"],
  ],
  [["<"], ["alpha/a", "alpha/b", "alpha/c"]],
  // Also by memory, and that the least first; what has the same by both goes by its name.
  [
    ["&", "<", "r", "r", ">", ">"],
    ["alpha/b", "alpha/a", "alpha/c"],
  ],
  [
    ["&", ">", "r"],
    ["alpha/b", "alpha/c", "alpha/a"],
  ],
  [
    ["<", "r", "&"],
    ["alpha/c", "alpha/b", "alpha/a"],
  ],
  [["/", "C", "\r"], ["alpha/c"]],
  [
    ["/", "C", "\x1b"],
    ["alpha/b", "alpha/a", "alpha/c"],
  ],
  [["3"], ["demo at beta"]],
  [["\t"], ["demo at beta"]],
])("after the keys %j there is %j", (keys, expected) => {
  expect(names(press(...keys))).toEqual(expected);
});

test.each(["q", "\x03"])("%j ends it", (key) => {
  expect(press(key).isOver).toBe(true);
});

test.each([
  [80, 24],
  [200, 50],
  [20, 5],
])("it fits into %d columns and %d rows", (columns, rows) => {
  const state = press();
  const frame = { columns, rows, trouble: "hosts/beta did not answer", clock: "12:00:00" };
  const lines = drawTop(topRows(all, state.view, state), state, frame);
  expect(lines.length).toBe(Math.max(rows, 5));
  expect(lines.every((line) => line.length <= columns)).toBe(true);
});

test("only what is on the screen is drawn of very many", () => {
  const many = Array.from({ length: 5000 }, (_, index) => instance(`m${index}`, index));
  let state = press();
  const frame = { columns: 80, rows: 24, trouble: "", clock: "12:00:00" };
  expect(drawTop(topRows(many, state.view, state), state, frame)[2]).toMatch(/^alpha\/m4999 .* 5\.00 /);
  state = pressKey(state, "\x1b[6~", pageOf(frame));
  expect(drawTop(topRows(many, state.view, state), state, frame)[2]).toMatch(/^alpha\/m4978 /);
});

test("a name cannot command the terminal", () => {
  const state = press();
  const rows = topRows([instance("\x1b[2J", 1)], state.view, state);
  const frame = { columns: 80, rows: 24, trouble: "\x1b[2J", clock: "" };
  expect(drawTop(rows, state, frame).join("")).not.toContain("\x1b");
});

test("each column is sorted by once, however often another is added", () => {
  const state = press(...Array.from({ length: 40 }, () => "&"), "<", ">");
  const titles = state.order.map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  expect(titles).toHaveLength(state.view.columns.length + 1);
});

test("it says what it is sorted by", () => {
  const title = (...keys: readonly string[]) =>
    drawTop([], press(...keys), { columns: 120, rows: 6, trouble: "", clock: "" })[0];
  expect(title()).toMatch(/instances by CORES /);
  expect(title("r", "&", ">")).toMatch(/by CORES, the least first, then MEM /);
  expect(title("<", "r")).toMatch(/by NAME, the last first /);
});

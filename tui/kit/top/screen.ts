import { escapeText } from "../text/escape.js";
import {
  cellTexts,
  headTexts,
  orderText,
  type TopKey,
  type TopOrder,
  type TopRow,
  type TopView,
  topViews,
} from "./views.js";

/** What a person has chosen. */
export interface TopState extends TopOrder {
  readonly view: TopView;
  /** Rows above those that are shown. */
  readonly scroll: number;
  /** What is typed of a filter; undefined: nothing is. */
  readonly typed: string | undefined;
  readonly isOver: boolean;
}

/** The state at the beginning. */
export function startState(word: string, order: Partial<TopOrder> = {}): TopState {
  const view = topViews.find((each) => each.word === word) ?? instancesView();
  return { view, order: usualOrder(view), filter: "", ...order, scroll: 0, typed: undefined, isOver: false };
}

function usualOrder({ sort }: TopView): readonly TopKey[] {
  return [{ title: sort, isReversed: false }];
}

function instancesView(): TopView {
  const [first, second] = topViews;
  const found = second ?? first;
  if (found === undefined) throw new Error("there are no views");
  return found;
}

/** The state with something turned on by one: of several columns that it is sorted by the last. */
export function turnedState(
  state: TopState,
  how: "view" | "next-column" | "column-before" | "also" | "order",
): TopState {
  const before = state.order.slice(0, -1);
  const { title, isReversed } = state.order.at(-1) ?? { title: state.view.sort, isReversed: false };
  const turned = (key: TopKey): TopState => ({ ...state, order: [...before, key] });
  switch (how) {
    case "view": {
      const next = topViews[(topViews.indexOf(state.view) + 1) % topViews.length] ?? state.view;
      return inView(state, next);
    }
    case "next-column":
      return turned({ title: nextTitle(state, before, 1), isReversed });
    case "column-before":
      return turned({ title: nextTitle(state, before, -1), isReversed });
    case "also": {
      if (state.order.length > state.view.columns.length) return state;
      const next = { title: nextTitle(state, state.order, 1), isReversed: false };
      return { ...state, order: [...state.order, next] };
    }
    case "order":
      return turned({ title, isReversed: !isReversed });
  }
}

function inView(state: TopState, view: TopView): TopState {
  return { ...state, view, order: usualOrder(view), scroll: 0 };
}

/** The state after a key. @param page rows on the screen. */
export function pressKey(state: TopState, key: string, page: number): TopState {
  if (key === "\x03") return { ...state, isOver: true };
  if (state.typed !== undefined) return typeKey(state, key, state.typed);
  const named = topViews.find((view) => view.key === key);
  if (named !== undefined) return inView(state, named);
  const scrolled = (by: number): TopState => ({ ...state, scroll: Math.max(0, state.scroll + by) });
  switch (key) {
    case "q":
      return { ...state, isOver: true };
    case "\t":
      return turnedState(state, "view");
    case "s":
    case ">":
      return turnedState(state, "next-column");
    case "<":
      return turnedState(state, "column-before");
    case "&":
      return turnedState(state, "also");
    case "r":
      return turnedState(state, "order");
    case "/":
      return { ...state, typed: state.filter };
    case "\x1b":
      return { ...state, filter: "", scroll: 0 };
    case "\x1b[A":
    case "k":
      return scrolled(-1);
    case "\x1b[B":
    case "j":
      return scrolled(1);
    case "\x1b[5~":
      return scrolled(-page);
    case "\x1b[6~":
    case " ":
      return scrolled(page);
    default:
      return state;
  }
}

function typeKey(state: TopState, key: string, typed: string): TopState {
  if (key === "\r" || key === "\n") return { ...state, filter: typed, typed: undefined, scroll: 0 };
  if (key === "\x1b") return { ...state, typed: undefined };
  if (key === "\x7f" || key === "\b") return { ...state, typed: typed.slice(0, -1) };
  return /^[\x20-\x7e]+$/.test(key) && typed.length < 60 ? { ...state, typed: typed + key } : state;
}

/** The column beside the one that is sorted by last, of those that are not sorted by already. */
function nextTitle({ view, order }: TopState, taken: readonly TopKey[], by: number): string {
  const titles = ["NAME", ...view.columns.map(({ title }) => title)];
  const last = order.at(-1)?.title ?? view.sort;
  const from = titles.indexOf(last);
  for (let step = 1; step < titles.length; step++) {
    const title = titles[(from + by * step + titles.length * step) % titles.length];
    if (title !== undefined && !taken.some((key) => key.title === title)) return title;
  }
  return last;
}

/** What is drawn besides rows. */
export interface TopFrame {
  readonly columns: number;
  readonly rows: number;
  /** What is wrong, for people; "": nothing is. */
  readonly trouble: string;
  /** Local time of day. */
  readonly clock: string;
}

/** Rows of a screen that are not rows of the table: title, heads, footer. */
const aroundRows = 3;

/** Rows of the table that there is room for. */
export function pageOf({ rows, trouble }: Pick<TopFrame, "rows" | "trouble">): number {
  return Math.max(1, rows - aroundRows - (trouble === "" ? 0 : 1));
}

/** The lines of the screen, each as wide as it at most, without escapes. */
export function drawTop(all: readonly TopRow[], state: TopState, frame: TopFrame): string[] {
  const { view, filter, typed } = state;
  const { columns, trouble, clock } = frame;
  const page = pageOf(frame);
  const scroll = Math.max(0, Math.min(state.scroll, all.length - page));
  const order = `by ${orderText(state.order)}`;
  const only = filter === "" ? "" : `, with "${filter}"`;
  const title = `zor top  ${all.length} ${view.word} ${order}${only}  ${clock}`;
  const head = headTexts(view, columns);
  const body = all.slice(scroll, scroll + page).map((row) => cellTexts(row, view, columns));
  while (body.length < page) body.push("");
  const keys = "1 hosts 2 instances 3 links 4 lans 5 wires  <>& sort  r turn  / filter  q quit";
  const footer = typed === undefined ? keys : `filter: ${typed}_  (Enter takes it, Esc leaves it)`;
  const lines = [title, ...(trouble === "" ? [] : [escapeText(trouble)]), head, ...body, footer];
  return lines.map((line) => cut(line, columns));
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

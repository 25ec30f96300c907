import type { WatchFiguresRequest } from "../../proto/gen/zor/v1/figures_service.js";
import { FollowedFigures } from "../client/figures.js";
import { enterRawMode } from "../client/raw-terminal.js";
import { drawTop, pageOf, pressKey, type TopState } from "../kit/top/screen.js";
import { topRows } from "../kit/top/views.js";
import type { Session } from "./session.js";

const [enter, leave] = ["\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"];
const everyMs = 1000;
/** The row of heads stands out. */
const [strong, plain] = ["\x1b[7m", "\x1b[0m"];

/** Shows figures on the whole terminal, each second anew, until a person ends it. */
export async function runTopScreen(session: Session, request: WatchFiguresRequest, begin: TopState): Promise<void> {
  const { terminal } = session.io;
  const { input, output } = terminal;
  const connection = await session.connect();
  const figures = new FollowedFigures();
  const ending = new AbortController();
  const signal = AbortSignal.any([session.io.signal, ending.signal]);
  let state = begin;
  const draw = (): void => {
    const [columns, rows] = [output.columns ?? 80, output.rows ?? 24];
    const { trouble } = figures;
    const clock = new Date().toTimeString().slice(0, 8);
    const frame = { columns, rows, trouble, clock };
    const all = topRows(figures.decoder.all(), state.view, state);
    // What was scrolled past the end comes back at once.
    state = { ...state, scroll: Math.max(0, Math.min(state.scroll, all.length - pageOf(frame))) };
    const lines = drawTop(all, state, frame);
    const headAt = trouble === "" ? 1 : 2;
    const text = lines.map((line, index) => (index === headAt ? `${strong}${line.padEnd(columns)}${plain}` : line));
    output.write(`\x1b[H${text.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  };
  const onKeys = (data: Buffer): void => {
    for (const key of keysOf(data.toString())) {
      state = pressKey(state, key, pageOf({ rows: output.rows ?? 24, trouble: figures.trouble }));
      if (!state.isOver) continue;
      ending.abort();
      return;
    }
    draw();
  };
  output.write(enter);
  using _raw = enterRawMode(terminal);
  input.on("data", onKeys);
  output.on("resize", draw);
  const timer = setInterval(draw, everyMs);
  try {
    let isFirst = true;
    const onNews = (): void => {
      if (isFirst) draw();
      isFirst = false;
    };
    draw();
    await figures.follow(connection, request, { signal, onNews });
  } finally {
    clearInterval(timer);
    input.off("data", onKeys);
    input.pause();
    output.off("resize", draw);
    output.write(leave);
  }
}

/** Keys in what came at once: escape sequences stay whole, pasted text too. */
function keysOf(text: string): readonly string[] {
  return text.match(/\x1b\[[0-9;]*[A-Za-z~]|\x1b|[\s\S]/gu) ?? [];
}

import { PassThrough } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { WriteStream } from "node:tty";
import headless from "@xterm/headless";
import { render } from "ink";
import { expect, it } from "vitest";
import { App, type ScreenHandle } from "../../../../tui/app/app.js";
import { Canvas } from "../../../../tui/app/canvas.js";
import { CellLine } from "../../../../tui/kit/cells/cell-line.js";
import { outputThrough } from "../../../../tui/session/terminal-seams.js";
import { makeProgram } from "../program.js";

/** A terminal that a program draws on beside Ink, as the program itself is put together. */
function screen() {
  const size = { columns: 20, rows: 6 };
  const terminal = new headless.Terminal({
    cols: size.columns,
    rows: size.rows,
    allowProposedApi: true,
    convertEol: true,
  });
  const output = Object.assign(new PassThrough(), { ...size, isTTY: true }) as unknown as WriteStream;
  output.write = ((data: string, ...rest: readonly unknown[]) => {
    const done = rest.at(-1);
    terminal.write(data, typeof done === "function" ? () => void done() : undefined);
    return true;
  }) as WriteStream["write"];
  const canvas = new Canvas(
    { write: (data) => output.write(data), isFull: false, size },
    { depth: "256", ascii: false },
  );
  let handle: ScreenHandle | undefined;
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => stdin, ref() {}, unref() {} });
  const { controller } = makeProgram();
  const onReady = (ready: ScreenHandle) => {
    handle = ready;
  };
  const instance = render(<App controller={controller} onTyped={() => undefined} onReady={onReady} />, {
    stdin: stdin as never,
    stdout: outputThrough(output, (written) => canvas.through(written)),
    incrementalRendering: true,
    alternateScreen: true,
    interactive: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  let lines: readonly CellLine[] = [];
  const show = (texts: readonly string[]) => {
    lines = Array.from({ length: size.rows }, (_, row) => {
      const line = new CellLine(size.columns);
      line.write(0, texts[row] ?? "");
      return line;
    });
    canvas.want(lines, { ...size });
    canvas.refresh();
  };
  return {
    size,
    show,
    resize(columns: number, rows: number, texts: readonly string[]) {
      Object.assign(size, { columns, rows });
      Object.assign(output, { columns, rows });
      terminal.resize(columns, rows);
      output.emit("resize");
      show(texts);
    },
    async giveAway() {
      canvas.away();
      await handle?.suspend(async () => void output.write("somebody else\r\nwrites here"));
      canvas.back();
    },
    async text(): Promise<readonly string[]> {
      await instance.waitUntilRenderFlush();
      await new Promise<void>((resolve) => terminal.write("", resolve));
      return Array.from({ length: size.rows }, (_, row) =>
        (
          terminal.buffer.active.getLine(terminal.buffer.active.viewportY + row)?.translateToString(true) ?? ""
        ).trimEnd(),
      );
    },
    [Symbol.dispose]() {
      instance.unmount();
      terminal.dispose();
    },
  };
}

it("has on the screen what it drew, however it changes, whoever had the terminal, and whatever its size became", async () => {
  using drawn = screen();
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const words = ["", "", "guest", "zor 漢", "the guest hung up"];
  // Ink's effects have run then.
  await drawn.text();
  for (let round = 0; round < 30; round += 1) {
    let texts: readonly string[] = [];
    for (let step = random(4); step >= 0; step -= 1) {
      texts = Array.from({ length: 8 }, () => words[random(words.length)] ?? "");
      const what = random(6);
      if (what === 0) drawn.resize(18 + random(8), 4 + random(4), texts);
      else drawn.show(texts);
      if (what === 1) await drawn.giveAway();
      if (what === 2) await nextTurn();
    }
    expect(await drawn.text(), `round ${round}`).toEqual(texts.slice(0, drawn.size.rows));
  }
});

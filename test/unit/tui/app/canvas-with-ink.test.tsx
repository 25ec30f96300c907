import headless from "@xterm/headless";
import { Box, render } from "ink";
import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { useLayoutEffect } from "react";
import { expect, it } from "vitest";
import { Canvas } from "../../../../tui/app/canvas.js";
import { LineView } from "../../../../tui/app/line-view.js";
import { CellLine } from "../../../../tui/kit/cells/cell-line.js";
import { outputThrough } from "../../../../tui/session/terminal-seams.js";

const size = { columns: 20, rows: 6 };
type Content = { readonly text: string; readonly isCanvas: boolean };

/** A terminal that a program draws on with Ink and a canvas, as the program itself is put together. */
function screen() {
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
    { write: (data) => output.write(data), isFull: false, size: "20x6" },
    { depth: "256", ascii: false },
  );
  function View({ lines }: { readonly lines: readonly Content[] }) {
    const cells = new Map(
      lines.flatMap(({ text, isCanvas }, row) => {
        if (!isCanvas) return [];
        const line = new CellLine(size.columns);
        line.write(0, text);
        return [[row, line] as const];
      }),
    );
    canvas.want(cells, "20x6");
    useLayoutEffect(() => canvas.refresh());
    return (
      <Box flexDirection="column" width={size.columns} height={size.rows - 1} overflow="hidden">
        {lines.map(({ text, isCanvas }, row) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line of the screen is its place
          <LineView key={row} width={size.columns} line={[{ text }]} drawn={isCanvas} />
        ))}
      </Box>
    );
  }
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => stdin, ref() {}, unref() {} });
  const instance = render(<View lines={[]} />, {
    stdin: stdin as never,
    stdout: outputThrough(output, (written) => canvas.through(written)),
    incrementalRendering: true,
    alternateScreen: true,
    interactive: true,
    exitOnCtrlC: false,
    patchConsole: false,
    maxFps: 20,
  });
  return {
    show: (lines: readonly Content[]) => instance.rerender(<View lines={lines} />),
    async text(): Promise<readonly string[]> {
      await instance.waitUntilRenderFlush();
      await new Promise<void>((resolve) => terminal.write("", resolve));
      return Array.from({ length: size.rows - 1 }, (_, row) =>
        (terminal.buffer.active.getLine(row)?.translateToString(true) ?? "").trimEnd(),
      );
    },
    [Symbol.dispose]() {
      instance.unmount();
      terminal.dispose();
    },
  };
}

it("leaves nothing behind, however quickly what is drawn changes", async () => {
  using drawn = screen();
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const words = ["", "", "guest", "zor", "the guest hung up"];
  for (let round = 0; round < 20; round += 1) {
    let lines: readonly Content[] = [];
    for (let step = random(4); step >= 0; step -= 1) {
      const isCanvas = random(2) === 0;
      lines = Array.from({ length: size.rows - 1 }, () => ({
        text: words[random(words.length)] ?? "",
        isCanvas: isCanvas && random(4) > 0,
      }));
      drawn.show(lines);
      const wait = random(4);
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait === 3 ? 60 : wait));
    }
    expect(await drawn.text(), `round ${round}`).toEqual(lines.map(({ text }) => text));
  }
});

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Instance, render } from "ink";
import { App, type ScreenHandle } from "../app/app.js";
import { Canvas, type TerminalSize } from "../app/canvas.js";
import { Painter } from "../app/painter.js";
import { lookOfTerminal } from "../app/theme.js";
import { colourDepth } from "../kit/cells/colour-depth.js";
import { hasBraille } from "../kit/chart/has-braille.js";
import { TerminalKeeper, terminalSettings } from "../client/terminal-keeper.js";
import { escapeText } from "../kit/text/escape.js";
import { crashedCode, type Ending, guardTerminal, leftOn, silence } from "./guard.js";
import { HeapTrimmer, ownHeap } from "./heap-trimmer.js";
import { stopUntilContinued } from "./job-control.js";
import { makeProgram, type TuiOptions } from "./make-program.js";
import { TerminalMouse } from "./mouse.js";
import { inputPast, outputThrough } from "./terminal-seams.js";

/** Ages grow by seconds. */
const tickMs = 1000;

/** Runs the terminal program until it is left. The terminal is as it was before on every way out. */
export async function runTui(options: TuiOptions): Promise<Ending> {
  const { log, host, first = "", ascii, settings } = options;
  const terminalLook = lookOfTerminal(process.env);
  const look = { ...terminalLook, unicode: terminalLook.unicode && !ascii };
  const session = { ...options.session, hasDots: look.unicode && hasBraille(process.env) };
  const stop = new AbortController();
  let screen: ScreenHandle | undefined;
  let instance: Instance | undefined;
  let how: Ending = { code: 0 };
  const end = (ending: Ending): void => {
    how = ending;
    if (ending.error !== undefined) log.fatal({ err: ending.error }, "crashed");
    stop.abort();
    canvas.away();
    instance?.unmount();
  };
  const canvas = new Canvas(
    {
      write: (data) => process.stdout.write(data),
      get isFull() {
        return process.stdout.writableNeedDrain;
      },
      get size() {
        return terminalSize();
      },
    },
    { depth: colourDepth(process.env), ascii: !look.unicode },
  );
  const mouse = new TerminalMouse((data) => process.stdout.write(data));
  let suspended = false;
  let keeper: TerminalKeeper | undefined;
  const suspend = async (work: () => Promise<void>): Promise<void> => {
    if (screen === undefined || suspended) return;
    suspended = true;
    try {
      canvas.away();
      await screen.suspend(async () => {
        keeper?.release();
        await mouse.away(work);
        // A paused standard input stops reading one tick later; Ink must not begin to read before that.
        await nextTurn();
      });
    } finally {
      suspended = false;
      if (!stop.signal.aborted) keeper?.hold();
      canvas.back();
    }
  };
  const stopHere = (): Promise<void> =>
    suspend(async () => {
      if (!(await stopUntilContinued())) model.say("nothing is there that could continue this program; it goes on");
    });
  const { program, feed, readSettings, open } = makeProgram(options, session, {
    signal: stop.signal,
    mouse,
    clears: true,
    suspend,
    write: (data) => process.stdout.write(data),
    redraw: () => void suspend(async () => undefined),
    stop: () => void stopHere(),
    left: () => end({ code: 0 }),
  });
  const { model } = program;
  await readSettings();
  const controller = open({ line: first, ...(host === undefined ? {} : { kind: "instance", host }) });
  silence(log);
  guardTerminal(end);
  // Whoever stopped the program from outside had the terminal: it may look like anything.
  process.on("SIGCONT", () => void suspend(async () => undefined));
  const terminal = terminalSettings(process.env);
  const words = `zor tui was killed; what it had to say is in ${escapeText(options.logFile ?? "its log")}`;
  const kept = { sequences: leftOn, words };
  keeper = TerminalKeeper.begun(process.env, kept, terminal);
  // A key that is typed before the first frame is there must not be echoed into it: everything would be drawn a line off.
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  keeper?.hold();
  process.stdout.write("\r");
  process.stdout.on("drain", () => canvas.refresh());
  const painter = new Painter({ model, controller, look, settings, canvas, size: terminalSize });
  const trimmer = new HeapTrimmer(ownHeap());
  const onTyped = (): void => {
    trimmer.typed();
    painter.paintSoon();
  };
  instance = render(
    <App
      controller={controller}
      onTyped={onTyped}
      onReady={(handle) => {
        screen = handle;
      }}
    />,
    {
      stdin: inputPast(process.stdin, (typed) => {
        onTyped();
        return controller.typed(typed);
      }),
      stdout: outputThrough(process.stdout, (written) => canvas.through(written)),
      alternateScreen: true,
      incrementalRendering: true,
      interactive: true,
      exitOnCtrlC: false,
      patchConsole: false,
    },
  );
  process.stdout.on("resize", () => painter.paint());
  painter.start();
  // Without the launcher; what is drawn first does not wait for it.
  setImmediate(() => {
    if (stop.signal.aborted || keeper !== undefined) return;
    keeper = TerminalKeeper.begin(kept, terminal);
    if (!suspended) keeper.hold();
  });
  process.on("exit", () => keeper?.release());
  if (settings.values.settings.mouse === true) mouse.set(true);
  const ticking = setInterval(() => {
    model.tick();
    void readSettings();
    trimmer.tick();
  }, tickMs);
  feed.run(stop.signal).catch((error: unknown) => end({ code: crashedCode, error }));
  try {
    await instance.waitUntilExit();
  } catch (error) {
    log.fatal({ err: error }, "the screen crashed");
    how = { code: crashedCode, error };
  }
  stop.abort();
  keeper?.[Symbol.dispose]();
  painter.stop();
  clearInterval(ticking);
  return how;
}

function terminalSize(): TerminalSize {
  return { columns: process.stdout.columns, rows: process.stdout.rows };
}

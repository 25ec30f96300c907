import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { exitCode } from "../cli/exit-codes.js";
import { pluralOf } from "../kit/kind-table.js";
import type { Model } from "../kit/model.js";
import { plainText } from "../kit/text/plain-text.js";
import { LineEditor } from "../plain/line-editor.js";
import { Reader } from "../plain/reader.js";
import type { Mouse, Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { crashedCode, type Ending, guardTerminal, hungUpCode, silence } from "./guard.js";
import { HeapTrimmer, ownHeap } from "./heap-trimmer.js";
import { stopUntilContinued } from "./job-control.js";
import { makeProgram, type TuiOptions } from "./make-program.js";

const tickMs = 1000;
/** From one time that news are said to the next. */
const newsMs = 300;
/** Lines that are said at a time to somebody who listens. */
const page = 20;
/** How long a script waits for the fleet, and for what it opened: that is whole when it says the same for so long. */
const [fleetWithinMs, screenWithinMs, quietMs] = [30_000, 5000, 500];

const noMouse: Mouse = { isOn: false, set: () => undefined };

/** Runs the terminal program in lines until it is left: at a terminal with an editor of lines, else line by line as they come. */
export async function runPlain(options: TuiOptions): Promise<Ending> {
  const { host, first = "", log } = options;
  const stop = new AbortController();
  const isScript = !process.stdin.isTTY;
  // What edits lines itself, or shows nothing of what it is sent, is sent no single characters.
  const isEdited = !isScript && process.stdout.isTTY && (process.env["INSIDE_EMACS"] ?? "") === "";
  let how: Ending = { code: exitCode.ok };
  const end = (ending: Ending): void => {
    if (ending.error !== undefined) log.fatal({ err: ending.error }, "crashed");
    if (!stop.signal.aborted) how = ending;
    stop.abort();
  };
  let editor: LineEditor | undefined;
  let isAway = false;
  const suspend = async (work: () => Promise<void>): Promise<void> => {
    if (isScript) throw new Error("there is no terminal to give away; say it at one");
    isAway = true;
    editor?.pause();
    try {
      await work();
    } finally {
      isAway = false;
      if (!stop.signal.aborted) editor?.start();
    }
  };
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  const say = (lines: readonly string[]): void => {
    if (editor !== undefined) editor.say(lines);
    else if (lines.length > 0) write(lines.map((line) => `${line}\n`).join(""));
  };
  const stopHere = (): void => {
    suspend(async () => void (await stopUntilContinued())).catch((error: unknown) =>
      log.warn({ err: error }, "not stopped"),
    );
  };
  const { program, feed, readSettings, open } = makeProgram(
    options,
    { ...options.session, isPlain: true },
    {
      ...{ signal: stop.signal, mouse: noMouse, clears: false, suspend, write },
      redraw: () => reader.list(),
      stop: stopHere,
      left: () => end({ code: exitCode.ok }),
    },
  );
  const { model } = program;
  silence(log);
  await readSettings();
  const controller = open({ line: first, ...(host === undefined ? {} : { kind: "instance", host }) });
  const lines = isScript ? 1_000_000 : page;
  const reader = new Reader({ program, controller, page: lines, waits: isScript, say });
  const interrupt = (): void => {
    if (!reader.interrupt()) say(["nothing goes on; quit or Ctrl-D ends"]);
    editor?.show();
  };
  guardTerminal(end, interrupt);
  const trimmer = new HeapTrimmer(ownHeap());
  const ticking = setInterval(() => {
    model.tick();
    void readSettings();
    if (editor?.isIdle === false) trimmer.typed();
    trimmer.tick();
  }, tickMs);
  const speaking = setInterval(() => {
    if (isAway || editor?.isIdle === false) return;
    if (model.fleet.loaded && !isScript) reader.look();
    say(reader.news.take());
    editor?.show();
  }, newsMs);
  feed.run(stop.signal).catch((error: unknown) => end({ code: crashedCode, error }));
  try {
    if (isScript) await runScript(program, reader, { signal: stop.signal, end });
    else {
      const { context } = model.session;
      const [kind] = model.kinds.all;
      say([
        plainText(
          `zor, ${context}. help says what can be said; ${kind === undefined ? "" : pluralOf(kind)} is a table, quit ends.`,
        ),
      ]);
      await until(
        model,
        () => model.fleet.loaded || model.fleet.connection.phase === "lost",
        stop.signal,
        fleetWithinMs,
      );
      for (const { text } of model.messages.all) say([plainText(text)]);
      reader.look();
      if (isEdited) {
        editor = new LineEditor(
          { input: process.stdin, output: process.stdout },
          stdio(reader, program, { interrupt, stop: stopHere, end }),
        );
        editor.start();
      } else readLines(reader, { signal: stop.signal, write, end });
      await aborted(stop.signal);
    }
  } catch (error) {
    end({ code: crashedCode, error });
  } finally {
    stop.abort();
    clearInterval(ticking);
    clearInterval(speaking);
    editor?.pause();
  }
  return how;
}

function stdio(
  reader: Reader,
  program: Program,
  {
    interrupt,
    stop,
    end,
  }: { readonly interrupt: () => void; readonly stop: () => void; readonly end: (ending: Ending) => void },
): ConstructorParameters<typeof LineEditor>[1] {
  return {
    prompt: () => reader.prompt,
    complete: (line) => reader.completions(line),
    history: () => program.remembered.lines("command"),
    onLine: (line) => {
      reader.take(line);
    },
    onInterrupt: interrupt,
    onEnd: () => end({ code: exitCode.ok }),
    onHangUp: () => end({ code: hungUpCode }),
    onStop: stop,
  };
}

/** Lines from where they are edited by somebody else. */
function readLines(
  reader: Reader,
  {
    signal,
    write,
    end,
  }: { readonly signal: AbortSignal; readonly write: (text: string) => void; readonly end: (ending: Ending) => void },
): void {
  const lines = createInterface({ input: process.stdin, terminal: false, signal });
  write(reader.prompt);
  lines.on("line", (line) => {
    reader.take(line);
    write(reader.prompt);
  });
  lines.on("close", () => end({ code: exitCode.ok }));
}

/** One line after the other, each when what the one before asked for has happened. */
async function runScript(
  { model, requests, captures }: Program,
  reader: Reader,
  { signal, end }: { readonly signal: AbortSignal; readonly end: (ending: Ending) => void },
): Promise<void> {
  const { fleet } = model;
  const isThere = (): boolean => fleet.loaded || fleet.connection.phase === "refused";
  if (!(await until(model, isThere, signal, fleetWithinMs)) || !fleet.loaded) {
    if (signal.aborted) return;
    const { reason } = fleet.connection;
    reader.fail(`the hub is not there${reason === "" ? "" : `: ${reason}`}`);
    end({ code: exitCode.unavailable });
    return;
  }
  const isDone = (): boolean => requests.underWay === 0 && fleet.pending.size === 0 && !captures.isChanging;
  reader.hasFailed = false;
  for await (const line of createInterface({ input: process.stdin, terminal: false, signal })) {
    if (signal.aborted) break;
    reader.take(line);
    if (model.prompt !== undefined) continue;
    await until(model, isDone, signal, Number.POSITIVE_INFINITY);
    if (reader.isUnsaid && !(model.screen instanceof TableScreen)) await quiet(reader, signal);
    if (signal.aborted) break;
    reader.look();
    reader.say(reader.news.take());
  }
  if (model.prompt !== undefined) {
    reader.fail("nothing was answered: everything is left as it is");
  }
  // What was begun and not stopped ends here, and says what it came to.
  captures.endAll();
  await until(model, () => !captures.areRunning, signal, Number.POSITIVE_INFINITY);
  end({ code: reader.hasFailed ? exitCode.error : exitCode.ok });
}

/** Resolves when what is opened says the same for a while. */
async function quiet(reader: Reader, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + screenWithinMs;
  let before: string | undefined;
  for (let now = reader.beginning; now !== before && performance.now() < untilMs; now = reader.beginning) {
    before = now;
    await delay(quietMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Resolves to true when it is so, to false after a time. */
async function until(model: Model, isSo: () => boolean, signal: AbortSignal, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (!isSo() && !signal.aborted && performance.now() < untilMs) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopListening();
        resolve();
      };
      const timer = setTimeout(done, tickMs);
      const stopListening = model.subscribe(done);
    });
  }
  return isSo();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

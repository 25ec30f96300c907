import { setImmediate as nextTurn } from "node:timers/promises";
import { type Instance, render } from "ink";
import type { Log } from "../../lib/log.js";
import { App, type ScreenHandle } from "../app/app.js";
import { Canvas, type TerminalSize } from "../app/canvas.js";
import { keyFaults } from "../app/keymap-text.js";
import { Controller } from "../app/controller.js";
import { Painter } from "../app/painter.js";
import { lookOfTerminal } from "../app/theme.js";
import { colourDepth } from "../kit/cells/colour-depth.js";
import { tuiKinds } from "../kinds/index.js";
import { hasBraille } from "../kit/chart/has-braille.js";
import { KindTable } from "../kit/kind-table.js";
import { Model, type Session } from "../kit/model.js";
import { findSkin } from "../kit/skin.js";
import { clipboardSequence } from "../kit/clipboard.js";
import { shortName } from "../kit/resource-name.js";
import { Cabling } from "../screens/map/cabling.js";
import type { EditedText } from "../screens/form/changes.js";
import type { Program } from "../screens/program.js";
import { Captures } from "../screens/captures.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { Consoles } from "../screens/console/consoles.js";
import { type ActionRunner, Requests } from "../screens/requests.js";
import type { Remembered } from "../settings/remembered.js";
import type { Settings } from "../settings/settings.js";
import { runBehind, runProgram } from "../client/run-program.js";
import { Feed } from "./feed.js";
import type { OpenedContext } from "./context-opener.js";
import type { FleetGateway } from "./gateway.js";
import { crashedCode, type Ending, guardTerminal, silence } from "./guard.js";
import { followOwnLog } from "./follow-own-log.js";
import { anyKey } from "./any-key.js";
import { Forwards } from "../screens/ways/forwards.js";
import { saveText } from "./save-text.js";
import { HeapTrimmer, ownHeap } from "./heap-trimmer.js";
import { TerminalMouse } from "./mouse.js";
import { stopUntilContinued } from "./job-control.js";
import { steadyClock } from "./steady-clock.js";
import { inputPast, outputThrough } from "./terminal-seams.js";
import { lastPlace } from "../screens/context-commands.js";

/** Ages grow by seconds. */
const tickMs = 1000;

/** Contexts that the program can go to while it runs. */
export interface OtherContexts {
  /** Names of all, as they were when the program began. */
  list(): readonly string[];
  /** Opens one, or several in one view ("paris+rome"); what was opened before stays open for what still goes on there. @throws {ZorError} when it is not there, or cannot be used. */
  open(name: string): Promise<OpenedContext>;
}

/** What the terminal program runs with. */
export interface TuiOptions {
  readonly session: Session;
  readonly gateway: FleetGateway;
  /** Other contexts that the program can go to. Default: none. */
  readonly contexts?: OtherContexts;
  readonly log: Log;
  /** Where that is written; empty: nowhere that it could be read from. */
  readonly logFile?: string;
  /** Narrows the first screen to the instances of a host. */
  readonly host: string | undefined;
  /** A line of the command line that is run first: "pulse". Default: none. */
  readonly first?: string;
  readonly ascii: boolean;
  /** What the user has set, not read yet. */
  readonly settings: Settings;
  /** What earlier runs have left. */
  readonly remembered: Remembered;
}

/** Of what a user's plugin runs. */
const pluginRun = { remedy: "install it, or change plugins.yaml" } as const;

/** Runs the terminal program until it is left. The terminal is as it was before on every way out. */
export async function runTui(options: TuiOptions): Promise<Ending> {
  const { log, logFile = "", host, first = "", ascii, settings, remembered } = options;
  const terminalLook = lookOfTerminal(process.env);
  const look = { ...terminalLook, unicode: terminalLook.unicode && !ascii };
  const session = { ...options.session, hasDots: look.unicode && hasBraille(process.env) };
  const stop = new AbortController();
  const model = new Model(new KindTable(tuiKinds), session, steadyClock());
  // Of the context that the program is at; everything below asks this one at the time.
  let gateway = options.gateway;
  const feed = new Feed(model, gateway, log);
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
  const suspend = async (work: () => Promise<void>): Promise<void> => {
    if (screen === undefined || suspended) return;
    suspended = true;
    try {
      canvas.away();
      await screen.suspend(async () => {
        await mouse.away(work);
        // A paused standard input stops reading one tick later; Ink must not begin to read before that.
        await nextTurn();
      });
    } finally {
      suspended = false;
      canvas.back();
    }
  };
  const stopHere = (): Promise<void> =>
    suspend(async () => {
      if (!(await stopUntilContinued())) model.say("nothing is there that could continue this program; it goes on");
    });
  const runner: ActionRunner = {
    run: (action, row, signal) => gateway.run(action, row, signal),
    runWave: (wave, signal) => gateway.runWave(wave, signal),
  };
  const program: Program = {
    model,
    requests: new Requests(model, runner, log, stop.signal),
    log,
    signal: stop.signal,
    attachConsole: (name, { readOnly }) => suspend(() => showConsole(name, readOnly)),
    giveTerminal: (to, name) => suspend(() => (to === "screen" ? showScreen(name) : logIn(name))),
    diagnose: (link, signal) => gateway.diagnose(link, signal),
    followLog: (name, options) =>
      name === "tui" ? followOwnLog(logFile, options.signal) : gateway.followLog(name, options),
    saveText,
    copy: (text) => {
      const sequence = clipboardSequence(text, process.env);
      if (sequence !== undefined) process.stdout.write(sequence);
      return sequence !== undefined;
    },
    runInTerminal: async ({ argv, environment }) => {
      let code = 0;
      await suspend(async () => {
        process.stdout.write("\r\n");
        code = await runProgram(argv, ["inherit", "inherit", "inherit"], {
          ...pluginRun,
          environment,
          signal: stop.signal,
        });
        process.stdout.write("\r\n");
      });
      return code;
    },
    runBehind: ({ argv, environment }, onText, signal) =>
      runBehind(argv, onText, { ...pluginRun, environment, signal }),
    eventsDuring: (during, signal) => gateway.eventsDuring(during, signal),
    olderEvents: (given) => gateway.olderEvents(given),
    openTable: (kind, scope) => model.push(new TableScreen(program, kind, scope)),
    runZor: (words) => suspend(() => runHere(words)),
    forwards: new Forwards(model, (...given) => gateway.forward(...given), stop.signal),
    get figures() {
      return gateway.figures;
    },
    get waves() {
      return gateway.waves;
    },
    get changes() {
      return gateway.changes;
    },
    contexts: {
      list: () => options.contexts?.list() ?? [session.context],
      open: async (name) => {
        if (options.contexts === undefined) throw new Error("there is no other context");
        const opened = await options.contexts.open(name);
        return () => {
          gateway = opened.gateway;
          model.switchTo({ ...session, ...opened.session });
          feed.use(gateway);
        };
      },
    },
    cabling: new Cabling(),
    editText: async (text, check) => {
      let edited: EditedText = { type: "left", why: "nothing was changed: something else has the terminal" };
      await suspend(async () => {
        const { editText } = await import("./edit-text.js");
        edited = await editText(text, check);
      });
      return edited;
    },
    captures: new Captures(model, (name, how) => gateway.capture(name, how), stop.signal),
    mouse,
    settings,
    remembered,
    run: (line) => controller.run(line),
    get screens() {
      return gateway.screens;
    },
    get frames() {
      return gateway.frameSource;
    },
    consoles: new Consoles(
      (name, request) => gateway.openConsole(name, request),
      () => model.changed(),
      stop.signal,
    ),
    redraw: () => void suspend(async () => undefined),
    stop: () => void stopHere(),
    resync: () => feed.resync(),
    quit: () => void leave(),
  };
  /** Where the person was is known to the next run. */
  const leave = async (): Promise<void> => {
    const place = lastPlace(model);
    try {
      if (place !== undefined) await remembered.leave(model.session.context, place);
    } catch (error) {
      log.warn({ err: error }, "the place cannot be remembered");
    }
    end({ code: 0 });
  };
  const readSettings = async (): Promise<void> => {
    const { version } = settings;
    const faults = [...(await settings.look())];
    if (settings.version !== version) {
      faults.push(...(await keyFaults(program)));
      const { settings: chosen, skins } = settings.values;
      model.typeNumberAbove = chosen.typeNumberAbove;
      if (chosen.skin !== undefined && findSkin(chosen.skin, skins) === undefined) {
        faults.push(
          `${await settings.placeOf("settings", ["skin"])} skin: there is no "${chosen.skin}"; :skin shows them`,
        );
      }
      model.changed();
    }
    for (const fault of faults) model.complain("tui.bad_settings", "", fault);
  };
  await readSettings();
  const controller = new Controller(program, {
    line: first,
    ...(host === undefined ? {} : { kind: "instance", host }),
  });
  const place = remembered.placeOf(session.context);
  if (place !== undefined && first === "") model.say(`you left at :${place}; \` goes there`);
  const showConsole = async (name: string, readOnly: boolean): Promise<void> => {
    try {
      const terminal = { input: process.stdin, output: process.stdout };
      const reason = await gateway.attachConsole(name, terminal, { signal: stop.signal, readOnly });
      model.say(reason === "" ? "detached from the console" : `the console ended: ${reason}`);
    } finally {
      // Ink draws from where the cursor is: that must be the beginning of a line.
      process.stdout.write("\r\n");
    }
  };
  const showScreen = async (name: string): Promise<void> => {
    await gateway.showScreen(name, { input: process.stdin, output: process.stdout }, stop.signal);
    model.say("left the screen");
  };
  const logIn = async (name: string): Promise<void> => {
    process.stdout.write("\r\n");
    const code = await gateway.logIn(name, stop.signal);
    if (code === 0) model.say("logged out");
    else model.say(`ssh ended with ${code}; zor ssh ${shortName(name)} shows why`, "warn");
    process.stdout.write("\r\n");
  };
  const runHere = async (words: readonly string[]): Promise<void> => {
    process.stdout.write(`\r\n$ zor ${words.join(" ")}\r\n`);
    const code = await gateway.runZor(words, stop.signal);
    // What it said is gone as soon as this program draws again.
    process.stdout.write("\r\npress a key to go back\r\n");
    await anyKey(process.stdin, stop.signal);
    if (code === 0) model.say(`zor ${words.slice(0, 2).join(" ")} is done`);
    else model.say(`zor ${words.slice(0, 2).join(" ")} ended with ${code}`, "warn");
  };
  silence(log);
  guardTerminal(end);
  // Whoever stopped the program from outside had the terminal: it may look like anything.
  process.on("SIGCONT", () => void suspend(async () => undefined));
  // A key that is typed before the first frame is there must not be echoed into it: everything would be drawn a line off.
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  process.stdout.write("\r");
  process.stdout.on("drain", () => canvas.refresh());
  const painter = new Painter({ model, controller, look, settings, canvas, size: terminalSize });
  const onTyped = (): void => painter.paintSoon();
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
  const trimmer = new HeapTrimmer(ownHeap());
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
  painter.stop();
  clearInterval(ticking);
  return how;
}

function terminalSize(): TerminalSize {
  return { columns: process.stdout.columns, rows: process.stdout.rows };
}

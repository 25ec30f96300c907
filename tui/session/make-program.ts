import type { Log } from "../../lib/log.js";
import { counted } from "../../lib/words.js";
import { Controller, type FirstScreen } from "../app/controller.js";
import { keyFaults } from "../app/keymap-text.js";
import { runBehind, runProgram } from "../client/run-program.js";
import { tuiKinds } from "../kinds/index.js";
import { clipboardSequence } from "../kit/clipboard.js";
import { KindTable } from "../kit/kind-table.js";
import { Model, type Session } from "../kit/model.js";
import { shortName } from "../kit/resource-name.js";
import { findSkin } from "../kit/skin.js";
import { escapeText } from "../kit/text/escape.js";
import { Captures } from "../screens/captures.js";
import { Consoles } from "../screens/console/consoles.js";
import { lastPlace } from "../screens/context-commands.js";
import type { EditedText } from "../screens/form/changes.js";
import { Cabling } from "../screens/map/cabling.js";
import type { Mouse, Program } from "../screens/program.js";
import { type ActionRunner, Requests } from "../screens/requests.js";
import { Rollouts } from "../screens/rollout/rollouts.js";
import { TableScreen } from "../screens/table/table-screen.js";
import { Forwards } from "../screens/ways/forwards.js";
import type { Remembered } from "../settings/remembered.js";
import type { Settings } from "../settings/settings.js";
import { anyKey } from "./any-key.js";
import type { ContextOpener, OpenedContext } from "./context-opener.js";
import { Feed } from "./feed.js";
import { followOwnLog } from "./follow-own-log.js";
import type { FleetGateway } from "./gateway.js";
import { saveText } from "./save-text.js";
import { steadyClock } from "./steady-clock.js";

/** Contexts that the program can go to while it runs. */
export interface OtherContexts {
  /** Names of all, as they were read last. */
  list(): readonly string[];
  /** Reads again which there are. */
  look(): Promise<void>;
  /** As {@link ContextOpener.openAgent}. */
  readonly openAgent: ContextOpener["openAgent"];
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

/** What a program has of the terminal that it is in. */
export interface Seat {
  /** Ends with the program, and all that it has under way. */
  readonly signal: AbortSignal;
  readonly mouse: Mouse;
  /** What others have written is gone when the program draws again. */
  readonly clears: boolean;
  /** Gives the whole terminal to somebody, until that is done. */
  suspend(work: () => Promise<void>): Promise<void>;
  /** Sends the terminal something that is not shown. */
  write(data: string): void;
  redraw(): void;
  /** Gives the terminal back to the shell until the program is continued. */
  stop(): void;
  /** The program was left. */
  left(): void;
}

/** A program that is put together, and not begun. */
export interface MadeProgram {
  readonly program: Program;
  readonly feed: Feed;
  /** Reads what the user has set where it has changed, and says what is wrong with it. */
  readSettings(): Promise<void>;
  /** Opens the first screen. */
  open(first: FirstScreen): Controller;
}

/** Puts the program together: all of it but the terminal that shows it. */
export function makeProgram(options: TuiOptions, session: Session, seat: Seat): MadeProgram {
  const { log, logFile = "", settings, remembered } = options;
  const { signal } = seat;
  const model = new Model(new KindTable(tuiKinds), session, steadyClock());
  // Of the context that the program is at; everything below asks this one at the time.
  let gateway = options.gateway;
  const feed = new Feed(model, gateway, log);
  const suspend = (work: () => Promise<void>): Promise<void> => seat.suspend(work);
  const runner: ActionRunner = {
    run: (...given) => gateway.run(...given),
    runWave: (...given) => gateway.runWave(...given),
  };
  const program: Program = {
    model,
    requests: new Requests(model, runner, log, signal),
    log,
    signal,
    attachConsole: (name, { readOnly }) => suspend(() => showConsole(name, readOnly)),
    giveTerminal: (to, name) => suspend(() => (to === "screen" ? showScreen(name) : logIn(name))),
    diagnose: (...given) => gateway.diagnose(...given),
    followLog: (name, options) =>
      name === "tui" ? followOwnLog(logFile, options.signal) : gateway.followLog(name, options),
    saveText,
    copy: (text) => {
      // A terminal that only says lines may know no clipboard: it is said instead.
      if (session.isPlain === true) {
        seat.write(`${escapeText(text)}\n`);
        return true;
      }
      const sequence = clipboardSequence(text, process.env);
      if (sequence !== undefined) seat.write(sequence);
      return sequence !== undefined;
    },
    runInTerminal: async ({ argv, environment }) => {
      let code = 0;
      await suspend(async () => {
        process.stdout.write("\r\n");
        code = await runProgram(argv, ["inherit", "inherit", "inherit"], {
          ...pluginRun,
          environment,
          signal,
        });
        if (code !== 0) await goneBack(`it ended with ${code}`);
        process.stdout.write("\r\n");
      });
      return code;
    },
    runBehind: ({ argv, environment }, onText, signal) =>
      runBehind(argv, onText, { ...pluginRun, environment, signal }),
    eventsDuring: (...given) => gateway.eventsDuring(...given),
    olderEvents: (given) => gateway.olderEvents(given),
    openTable: (kind, scope) => model.push(new TableScreen(program, kind, scope)),
    runZor: (words) => suspend(() => runHere(words)),
    rollouts: new Rollouts(model, (...given) => gateway.rollOut(...given), { notes: remembered.rollouts, signal }),
    forwards: new Forwards(model, (...given) => gateway.forward(...given), signal),
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
      look: async () => options.contexts?.look(),
      openAgent: async (from, place) => {
        if (options.contexts === undefined) throw new Error("there is no other context");
        return await options.contexts.openAgent(from, place, signal);
      },
      open: async (name) => {
        if (options.contexts === undefined) throw new Error("there is no other context");
        const opened = await options.contexts.open(name);
        return () => {
          gateway = opened.gateway;
          model.switchTo({ ...session, ...opened.session });
          feed.use(gateway);
          void program.rollouts.recall();
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
    captures: new Captures(model, (name, how) => gateway.capture(name, how), signal),
    mouse: seat.mouse,
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
      signal,
    ),
    redraw: () => seat.redraw(),
    stop: () => seat.stop(),
    resync: () => feed.resync(),
    quit: () => {
      const left = program.rollouts.running.reduce((count, rollout) => count + rollout.left, 0);
      if (left === 0 || model.prompt?.type === "question") void leave();
      else {
        const title = `quit, and break off what is done to ${counted(left, "host")}; the next run offers to go on`;
        model.prompt = { type: "question", text: "", title, yes: () => void leave(), no: () => undefined };
        model.changed();
      }
    },
  };
  /** Where the person was is known to the next run. */
  const leave = async (): Promise<void> => {
    const place = lastPlace(model);
    try {
      if (place !== undefined) await remembered.leave(model.session.context, place);
    } catch (error) {
      log.warn({ err: error }, "the place cannot be remembered");
    }
    seat.left();
  };
  settings.follow(signal);
  const readSettings = async (): Promise<void> => {
    const { version } = settings;
    const faults = [...(await settings.look())];
    if (settings.version !== version) {
      faults.push(...(await keyFaults(program)));
      const { settings: chosen, skins } = settings.values;
      model.typeNumberAbove = chosen.typeNumberAbove;
      const own = Object.entries(chosen.contextSkins ?? {}).map(
        ([context, skin]) => [["contextSkins", context], skin] as const,
      );
      for (const [path, skin] of [...(chosen.skin === undefined ? [] : [[["skin"], chosen.skin] as const]), ...own]) {
        if (findSkin(skin, skins) !== undefined) continue;
        faults.push(
          `${await settings.placeOf("settings", path)} ${path.join(".")}: there is no "${skin}"; :skin shows them`,
        );
      }
      model.changed();
    }
    for (const fault of faults) model.complain("tui.bad_settings", "", fault);
  };
  const showConsole = async (name: string, readOnly: boolean): Promise<void> => {
    try {
      const terminal = { input: process.stdin, output: process.stdout };
      const reason = await gateway.attachConsole(name, terminal, { signal, readOnly });
      model.say(reason === "" ? "detached from the console" : `the console ended: ${reason}`);
    } finally {
      // Ink draws from where the cursor is: that must be the beginning of a line.
      process.stdout.write("\r\n");
    }
  };
  const showScreen = async (name: string): Promise<void> => {
    await gateway.showScreen(name, { input: process.stdin, output: process.stdout }, signal);
    model.say("left the screen");
  };
  /** Waits for a key where what was said would be drawn over. @param how it ended, "": nothing is to be said of that. */
  const goneBack = async (how: string): Promise<void> => {
    if (!seat.clears) return;
    process.stdout.write(`\r\n${how === "" ? "" : `${how}; `}press a key to go back\r\n`);
    await anyKey(process.stdin, signal);
  };
  const logIn = async (name: string): Promise<void> => {
    process.stdout.write("\r\n");
    const code = await gateway.logIn(name, signal);
    // What ssh has said would be gone with the screen that comes back.
    if (code !== 0) await goneBack(`ssh ended with ${code}`);
    if (code === 0) model.say("logged out");
    else model.say(`ssh ended with ${code}; zor ssh ${shortName(name)} shows why`, "warn");
    process.stdout.write("\r\n");
  };
  const runHere = async (words: readonly string[]): Promise<void> => {
    process.stdout.write(`\r\n$ zor ${words.join(" ")}\r\n`);
    const code = await gateway.runZor(words, signal);
    await goneBack("");
    if (code === 0) model.say(`zor ${words.slice(0, 2).join(" ")} is done`);
    else model.say(`zor ${words.slice(0, 2).join(" ")} ended with ${code}`, "warn");
  };
  let controller: Controller;
  const open = (first: FirstScreen): Controller => {
    controller = new Controller(program, first);
    const place = remembered.placeOf(session.context);
    if (place !== undefined && (first.line ?? "") === "") model.say(`you left at :${place}; \` goes there`);
    void program.rollouts.recall();
    return controller;
  };
  return { program, feed, readSettings, open };
}

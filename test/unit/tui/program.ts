// Forms load it when they are first opened. A file of tests that ends meanwhile would leave those after it, which share its modules, waiting for ever.
import "../../../lib/kinds/comments.js";
import { pino } from "pino";
import { Controller } from "../../../tui/app/controller.js";
import { tuiKinds } from "../../../tui/kinds/index.js";
import type { TuiKind } from "../../../tui/kit/kind.js";
import { KindTable } from "../../../tui/kit/kind-table.js";
import { Model, type Session } from "../../../tui/kit/model.js";
import type { Screen } from "../../../tui/kit/screen.js";
import { Captures } from "../../../tui/screens/captures.js";
import { Consoles } from "../../../tui/screens/console/consoles.js";
import { Cabling } from "../../../tui/screens/map/cabling.js";
import type { Program } from "../../../tui/screens/program.js";
import { Requests } from "../../../tui/screens/requests.js";
import { Rollouts } from "../../../tui/screens/rollout/rollouts.js";
import { TableScreen } from "../../../tui/screens/table/table-screen.js";
import { Forwards } from "../../../tui/screens/ways/forwards.js";
import { TerminalMouse } from "../../../tui/session/mouse.js";
import { Remembered } from "../../../tui/settings/remembered.js";
import { RolloutNotes } from "../../../tui/settings/rollout-notes.js";
import { Settings } from "../../../tui/settings/settings.js";
import { FakeGateway } from "../../fakes/fleet-gateway.js";

/** The terminal program without a terminal. */
export interface TestProgram {
  readonly model: Model;
  readonly program: Program;
  readonly controller: Controller;
  readonly gateway: FakeGateway;
  /** What was done outside the model: "quit", "resync", "redraw", "console NAME". */
  readonly done: string[];
  /** Presses keys one after the other. */
  press(...chords: readonly string[]): void;
  clock: { nowMs: number };
  /** The program ends. */
  end(): void;
}

/** A model that a test feeds, of a program without screens. */
export function makeModel(nowMs: number, kinds: readonly TuiKind[] = tuiKinds): Model {
  return new Model(new KindTable(kinds), { context: "c", address: "a", readOnly: false }, () => nowMs);
}

/** Puts the program together around a model that a test feeds. */
export function makeProgram(
  session: Partial<Session> = {},
  kinds: readonly TuiKind[] = tuiKinds,
  settings = new Settings(),
  notes = new RolloutNotes(),
): TestProgram {
  const clock = { nowMs: 1_700_000_000_000 };
  const model = new Model(
    new KindTable(kinds),
    { context: "test", address: "127.0.0.1:7440", readOnly: false, ...session },
    () => clock.nowMs,
  );
  const gateway = new FakeGateway();
  const done: string[] = [];
  const log = pino({ level: "silent" });
  const ending = new AbortController();
  const { signal } = ending;
  const contexts = ["test", "paris"];
  const program: Program = {
    model,
    requests: new Requests(model, gateway, log, signal),
    log,
    signal,
    attachConsole: async (name, { readOnly }) => {
      done.push(`${readOnly ? "look" : "console"} ${name}`);
    },
    giveTerminal: async (to, name) => {
      done.push(`${to} ${name}`);
    },
    diagnose: (link, stop) => gateway.diagnose(link, stop),
    followLog: (name, options) => gateway.followLog(name, options),
    contexts: {
      list: () => contexts,
      look: async () => undefined,
      openAgent: async (from, { id, addresses }) => {
        if (gateway.failure !== undefined) throw gateway.failure;
        done.push(`agent of ${id} at ${addresses.join()} by ${from}`);
        contexts.push(`${from}-${id}`);
        return `${from}-${id}`;
      },
      open: async (name) => {
        if (gateway.failure !== undefined) throw gateway.failure;
        return () => {
          done.push(`go to ${name}`);
          model.switchTo({ ...model.session, context: name });
        };
      },
    },
    copy: (text) => {
      done.push(`copy ${text}`);
      return text.length < 1000;
    },
    runInTerminal: async ({ argv, environment }) => {
      done.push(`run ${JSON.stringify(argv)} ${environment["ZOR_NAME"] ?? ""}`);
      return 0;
    },
    runBehind: async ({ argv }, onText) => {
      onText(`ran ${argv.join(" ")}\n\x1b[31mred`);
      return 3;
    },
    saveText: async (path, text) => {
      done.push(`saved ${path}: ${text}`);
    },
    eventsDuring: (during) => gateway.eventsDuring(during),
    olderEvents: () => gateway.olderEvents(),
    openTable: (kind, scope) => model.push(new TableScreen(program, kind, scope)),
    runZor: async (words) => {
      done.push(`zor ${words.join(" ")}`);
    },
    rollouts: new Rollouts(model, (...given) => gateway.rollOut(...given), { notes, signal }),
    forwards: new Forwards(model, (...given) => gateway.forward(...given), signal),
    figures: gateway.figures,
    waves: gateway.waves,
    changes: gateway.changes,
    cabling: new Cabling(),
    mouse: new TerminalMouse((data) => done.push(JSON.stringify(data))),
    editText: (text, check) => gateway.editText(text, check),
    captures: new Captures(model, (name, how) => gateway.capture(name, how), signal),
    settings,
    remembered: new Remembered(),
    run: (line) => controller.run(line),
    screens: gateway.screens,
    frames: gateway.frameSource,
    consoles: new Consoles(
      (name, request) => gateway.openConsole(name, request),
      () => model.changed(),
      signal,
    ),
    redraw: () => done.push("redraw"),
    stop: () => done.push("stop"),
    resync: () => done.push("resync"),
    quit: () => done.push("quit"),
  };
  const controller = new Controller(program);
  const press = (...chords: readonly string[]) => {
    for (const chord of chords) controller.press(chord);
  };
  return { model, program, controller, gateway, done, press, clock, end: () => ending.abort() };
}

/** The table on top. @throws {Error} when it is another screen. */
export function tableOf({ screen }: Model): TableScreen["table"] {
  if (!(screen instanceof TableScreen)) throw new Error(`a table was expected, not ${screen.title()}`);
  return screen.table;
}

/** A text as the keys that type it. */
export function spell(text: string): string[] {
  return [...text].map((character) => (character === " " ? "space" : character));
}

/** What a screen draws, as texts. */
export function textOf(screen: Screen, width = 120, height = 40): string[] {
  return screen.draw(width, height).lines.map(({ line }) => line.map(({ text }) => text).join(""));
}

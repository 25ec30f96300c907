import { pino } from "pino";
import { Actions } from "../../../tui/app/actions.js";
import { Controller } from "../../../tui/app/controller.js";
import { diagnose } from "../../../tui/screens/diagnosis/diagnose.js";
import { Model, type Session } from "../../../tui/kit/model.js";
import { FakeGateway } from "../../fakes/fleet-gateway.js";

/** The terminal program without a terminal. */
export interface Program {
  readonly model: Model;
  readonly controller: Controller;
  readonly gateway: FakeGateway;
  /** What was done outside the model: "quit", "resync", "redraw", "console NAME". */
  readonly done: string[];
  /** Presses keys one after the other. */
  press(...chords: readonly string[]): void;
  clock: { nowMs: number };
}

/** Puts the program together around a model that a test feeds. */
export function makeProgram(session: Partial<Session> = {}): Program {
  const clock = { nowMs: 1_700_000_000_000 };
  const model = new Model(
    { context: "test", address: "127.0.0.1:7440", readOnly: false, ...session },
    () => clock.nowMs,
  );
  const gateway = new FakeGateway();
  const done: string[] = [];
  const log = pino({ level: "silent" });
  const { signal } = new AbortController();
  const actions = new Actions(model, gateway, log, signal);
  const controller = new Controller(model, {
    actions,
    attachConsole: async (name) => {
      done.push(`console ${name}`);
    },
    diagnose: (link) => void diagnose(link, { model, gateway, log, signal }),
    redraw: () => done.push("redraw"),
    stop: () => done.push("stop"),
    resync: () => done.push("resync"),
    quit: () => done.push("quit"),
  });
  const press = (...chords: readonly string[]) => {
    for (const chord of chords) controller.press(chord);
  };
  return { model, controller, gateway, done, press, clock };
}

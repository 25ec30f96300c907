import { KindTable } from "../kit/kind-table.js";
import { Model } from "../kit/model.js";
import { tuiKinds } from "../kinds/index.js";
import type { Program } from "../screens/program.js";
import { Consoles } from "../screens/console/consoles.js";
import { Remembered } from "../settings/remembered.js";
import type { Settings } from "../settings/settings.js";

/** A program without a hub and without a terminal, of which no more can be asked than what its commands are. */
export function bareProgram(settings: Settings): Program {
  const model = new Model(new KindTable(tuiKinds), { context: "", address: "", readOnly: false }, () => Date.now());
  const refuse = (): never => {
    throw new Error("there is no hub");
  };
  const parts: Partial<Program> = {
    model,
    settings,
    remembered: new Remembered(),
    signal: AbortSignal.abort(),
    run: refuse,
    consoles: new Consoles(refuse, () => undefined, AbortSignal.abort()),
  };
  // Commands are only named: what they would do, and with what, is never asked for.
  return parts as Program;
}

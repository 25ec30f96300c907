import { messageOf } from "../../../lib/errors.js";
import { shortName } from "../../kit/resource-name.js";
import type { Program } from "../program.js";

/** Gives the whole terminal to the console of what is under the cursor, until Ctrl-] is pressed there. */
export function attachWhole(program: Program): void {
  const { model } = program;
  const row = model.screen.subject();
  if (row === undefined) return;
  program.attachConsole(row.name, { readOnly: model.session.readOnly }).catch((error: unknown) => {
    model.complain("tui.console_failed", row.name, `console of ${shortName(row.name)}: ${messageOf(error)}`);
    model.changed();
  });
}

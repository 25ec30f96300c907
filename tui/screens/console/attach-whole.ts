import { messageOf } from "../../../lib/errors.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";

/** Gives the whole terminal to the console of what is under the cursor, until Ctrl-] is pressed there. */
export function attachWhole(program: Program): void {
  const { model } = program;
  const row = rowHere(model, "type at");
  if (row === undefined) return;
  attach(program, row.name, model.session.readOnly);
}

/** Gives the terminal to a console, or to the shell of a host, where no screen is drawn that it could be in. */
export function attachPlain(
  program: Program,
  row: Row,
  { readOnly, port }: { readonly readOnly: boolean; readonly port: number },
): void {
  const { session } = program.model;
  if (row.kind === "instance" && port === 0) {
    attach(program, row.name, readOnly || session.readOnly);
    return;
  }
  const words =
    row.kind === "host"
      ? ["shell", shortName(row.name)]
      : ["console", shortName(row.name), "--port", `${port}`, ...(readOnly || session.readOnly ? ["--read-only"] : [])];
  program.runZor(words).catch((error: unknown) => failed(program, row.name, error));
}

function attach(program: Program, name: string, readOnly: boolean): void {
  program.attachConsole(name, { readOnly }).catch((error: unknown) => failed(program, name, error));
}

function failed({ model }: Program, name: string, error: unknown): void {
  model.complain("tui.console_failed", name, `console of ${shortName(name)}: ${messageOf(error)}`);
  model.changed();
}

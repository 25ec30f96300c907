import { understandsEscapes } from "../../../lib/terminal.js";
import type { CliIo } from "../session.js";
import type { TableOptions } from "./table.js";

/** How tables look on this terminal: as wide as it is unless it is a pipe or output is wide; NO_COLOR is honoured. */
export function tableOptions({ terminal: { output }, env }: CliIo, wide: boolean): TableOptions {
  const isTerminal = output.isTTY === true;
  return {
    width: isTerminal && !wide ? (output.columns ?? 80) : undefined,
    color: isTerminal && !env["NO_COLOR"] && understandsEscapes(env),
  };
}

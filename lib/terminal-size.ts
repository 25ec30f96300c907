import { invalidArgument } from "./errors.js";
import type { TerminalSize } from "../proto/gen/zor/v1/console_service.js";

const maxCells = 1000;

/** Checks the size of a terminal; `field` is its proto path. @throws {ZorError} INVALID_ARGUMENT */
export function checkSize(field: string, size: TerminalSize): TerminalSize {
  for (const [name, cells] of [
    ["columns", size.columns],
    ["rows", size.rows],
  ] as const) {
    if (cells < 1 || cells > maxCells) {
      throw invalidArgument(`${field}.${name}`, `${cells} is not between 1 and ${maxCells}`);
    }
  }
  return size;
}

import { expect } from "vitest";
import type { Terminal } from "../../helpers/tmux.js";

/** The terminal is as it was: settings, cursor, main screen, no mouse or paste modes. */
export async function expectRestored(terminal: Terminal, code: number): Promise<void> {
  const screen = await terminal.sees("settings kept");
  expect(screen).toContain(`code ${code}`);
  expect(await terminal.fact("alternate_on")).toBe("0");
  expect(await terminal.fact("cursor_flag")).toBe("1");
  expect(await terminal.fact("mouse_any_flag")).toBe("0");
}

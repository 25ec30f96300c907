import type { Command } from "../kit/keys/command.js";
import type { Program } from "../screens/program.js";
import type { NewsTeller } from "./news-teller.js";

/** What is done with words where a program is read. */
export interface Reading {
  readonly program: Program;
  readonly news: NewsTeller;
  /** What can be given here, without what only moves a cursor. */
  readonly commands: readonly Command[];
  /** A person knows which row is meant. */
  readonly isSure: boolean;
  /** Lines that are said at a time. */
  page: number;
  /** Says lines, which are safe for terminals. */
  say(lines: readonly string[]): void;
  /** What was asked for cannot be done. */
  fail(text: string): void;
  /** Where the person is, and how that stands. */
  where(): void;
  /** The screen from its beginning. */
  list(): void;
  /** The next page of what is said. */
  more(): void;
  /** To the next line that can be chosen, or the one before. */
  step(by: 1 | -1): void;
  back(): void;
  /** Puts the cursor on a row of the table. */
  choose(name: string, isSilent?: boolean): void;
  /** Filters the screen, or searches in it. */
  narrow(text: string): void;
  /** Marks rows, or takes marks away. */
  mark(text: string, isMarked: boolean): void;
}

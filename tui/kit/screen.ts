import type { CellLine } from "./cells/cell-line.js";
import type { Command } from "./keys/command.js";
import type { TuiKind } from "./kind.js";
import type { Page } from "./page.js";
import type { Row } from "./row.js";
import type { Spoken } from "./spoken/spoken.js";
import type { Line } from "./text/segment.js";

/** A line of a body. */
export interface BodyLine {
  readonly line: Line;
  /** The cursor is on it. */
  readonly selected?: boolean;
  /** What it shows is old. */
  readonly faded?: boolean;
  /** The same in colours of its own, from the first cell of the line on, where the terminal can be drawn on. */
  readonly cells?: CellLine;
}

/** What a screen draws. */
export interface Body {
  readonly lines: readonly BodyLine[];
  /** How much there is, and which part of it is on the screen. */
  readonly extent: { readonly top: number; readonly shown: number; readonly length: number };
  /** Follows the title. */
  readonly facts?: Line;
  /** Said at the bottom when there is nothing more important. */
  readonly aside?: string;
}

/** A key that no command is bound to, for the help. */
export interface MoreKeys {
  readonly keys: string;
  readonly title: string;
}

/** One open screen. It answers for itself: nobody else asks what kind of screen it is. */
export interface Screen {
  /** Kind of what is shown or described; undefined where it is about no kind. */
  readonly kind: TuiKind | undefined;
  /** Its own keys; those that are bound everywhere give way to them. */
  readonly commands: readonly Command[];
  /** What is made from here, and of what. Default: one of the kind in view, of what the cursor is on. */
  makes?(): { readonly kind: string; readonly of: Row | undefined };
  /** Where the person is. */
  title(): string;
  draw(width: number, height: number): Body;
  /** The same for somebody who does not see it. Default: what is drawn, without what is only to be seen. */
  say?(): Spoken;
  /** What the cursor is on, or what is described. */
  subject(): Row | undefined;
  /** What an action would act on: see {@link targetsOf}. Default: its subject, where there is one. */
  targets?(): readonly Row[];
  /** Those of its targets that it does not show now. Default: none. */
  unseen?(): readonly Row[];
  /** Takes a step back within the screen; false: there is none, the screen is closed instead. */
  back?(): boolean;
  /** What was asked of its targets is under way. */
  acted?(): void;
  /** A key that no command is bound to. */
  press?(chord: string): void;
  /** What is typed is for what it shows: of the keys only its own commands are bound, others are pressed on it, and {@link typed} is given all. */
  readonly isTyping?: boolean;
  /** What the terminal sends, before it is taken for keys; returns what of it is left to be taken for keys. */
  typed?(data: string): string;
  /** Text was pasted; false: it has no use for it. */
  pasted?(text: string): boolean;
  /** Ctrl-C: true when there is something that it takes instead, such as text that would be lost. */
  interrupt?(): boolean;
  /** The mouse was pressed on its body, a second time at once for `isDouble`. Default: goes to a line that can be selected; twice, opens it. */
  click?(place: { readonly column: number; readonly line: number; readonly isDouble: boolean }): void;
  /** Puts the cursor on a resource, as soon as it is there; false: it shows none of that kind. */
  goTo?(kind: string, name: string): boolean;
  /** Keys that {@link press} takes, in lines of at most `width` cells. */
  moreKeys?(width: number): readonly MoreKeys[];
  /** It is there to choose from, and left by that: nobody goes back to it. */
  readonly isPassing?: boolean;
  /** It was closed. */
  closed?(): void;
  /** The same screen once more, for one that ended something when it was closed. Default: it is opened again as it is. */
  again?(): Screen;
  /** The line of the command line that opens it, "instances alpha /web". Default: none does. */
  line?(): string | undefined;
}

/** What an action on a screen would act on. */
export function targetsOf(screen: Screen): readonly Row[] {
  if (screen.targets !== undefined) return screen.targets();
  const row = screen.subject();
  return row === undefined ? [] : [row];
}

/** Lines that all fit. */
export function fixedBody(lines: readonly Line[]): Body {
  return { lines: lines.map((line) => ({ line })), extent: { top: 0, shown: lines.length, length: lines.length } };
}

/** The part of a page that is on a screen of `height` lines. */
export function pageBody(page: Page, lines: readonly Line[], height: number): Body {
  const shown = page.window(lines, height);
  return {
    lines: shown.map((line) => ({ line })),
    extent: { top: page.top, shown: shown.length, length: lines.length },
  };
}

import type { Action } from "./action.js";
import type { TuiKind } from "./kind.js";
import type { Row } from "./row.js";

/** Things done that can be undone, at most; the oldest go. */
const mostEntries = 50;

/** Something that was done to some, and what undoes it for each. */
export interface Undoable {
  /** "pause 3 instances" */
  readonly title: string;
  readonly kind: TuiKind;
  readonly atMs: number;
  /** By names. */
  readonly steps: Map<string, Action>;
}

/** What was done from here and has an inverse, the newest last. */
export class UndoStack {
  #entries: Undoable[] = [];

  get all(): readonly Undoable[] {
    return this.#entries;
  }

  /** One of the rows of something has been done: that one can be undone. */
  note(entry: Undoable, before: Row, action: Action): void {
    const undo = inverseOf(entry.kind, action, before);
    if (undo === undefined) return;
    entry.steps.set(before.name, undo);
    this.add(entry);
  }

  /** Something was done whose inverse is known already. */
  add(entry: Undoable): void {
    if (!this.#entries.includes(entry)) this.#entries = [...this.#entries, entry].slice(-mostEntries);
  }

  /** What was done elsewhere is not undone here. */
  forget(): void {
    this.#entries = [];
  }

  /** The newest, which is not there any more then. */
  take(): Undoable | undefined {
    return this.#entries.pop();
  }
}

/** What undoes an action on a row, as the row was before; undefined where nothing truly does. */
function inverseOf(kind: TuiKind, action: Action, before: Row): Action | undefined {
  const inverse = action.undo?.(before);
  return typeof inverse === "string" ? kind.actions.find(({ verb }) => verb === inverse) : inverse;
}

/** All steps of something as one action; it has no inverse itself. */
export function undoing({ steps }: Undoable): Action | undefined {
  const [first] = steps.values();
  if (first === undefined) return undefined;
  const stepOf = (row: Row): Action => steps.get(row.name) ?? first;
  const { verb, title, dangerous = false } = first;
  return {
    ...{ verb, title, dangerous, keys: [] },
    whyNot: (row, fleet) => stepOf(row).whyNot?.(row, fleet),
    effect: (row, fleet) => stepOf(row).effect(row, fleet),
    phraseFor: (row) => stepOf(row).phraseFor?.(row),
    isDone: (before, now) => stepOf(now).isDone?.(before, now) === true,
    run: (row, call) => stepOf(row).run(row, call),
  };
}

import { changeableFields } from "../../../../../lib/kinds/change.js";
import { commentOf } from "../../../../../lib/kinds/comments.js";
import { kindNamed } from "../../../../../lib/kinds/kinds.js";
import { tuiKinds } from "../../../../../tui/kinds/index.js";
import type { MessageJson } from "../../../../../tui/kit/input/fields.js";
import { type FormCursor, FormCursor as Cursor } from "../../../../../tui/screens/form/cursor.js";
import { Form, type FormAim } from "../../../../../tui/screens/form/form.js";
import { rowsOf } from "../../../../../tui/screens/form/rows.js";

/** A form of a kind without a program. */
export function formOf(kind: string, aim: Partial<FormAim> = {}): Form {
  const hints = tuiKinds.find((each) => each.kind === kind)?.form ?? {};
  return new Form({ kind: kindNamed(kind), changeable: changeableFields, hints, comments: commentOf, ...aim });
}

/** A form that makes what the JSON says, on alpha. */
export function filledForm(kind: string, json: MessageJson = {}): Form {
  return formOf(kind, { filled: { host: "alpha", id: "one", json } });
}

export function cursorOf(form: Form, offered: readonly string[] = []): FormCursor {
  return new Cursor(
    form,
    () => offered,
    () => new Map([["libvirt", "not made here"]]),
  );
}

/** The labels of the rows, those below others indented. */
export function labelsOf(form: Form): readonly string[] {
  return rowsOf(form).map(({ label, depth }) => `${"  ".repeat(depth)}${label}`);
}

/** Puts the cursor on the first row of that label. */
export function go(cursor: FormCursor, label: string): void {
  const at = rowsOf(cursor.form).findIndex((row) => row.label === label);
  if (at < 0) throw new Error(`there is no "${label}" among ${labelsOf(cursor.form).join(", ")}`);
  cursor.point(at);
}

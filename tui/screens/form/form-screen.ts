import { stringify } from "yaml";
import { messageOf } from "../../../lib/errors.js";
import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import { describeLines } from "../../kit/describe/describe-lines.js";
import { text as describeText } from "../../kit/describe/line.js";
import { textOf } from "../../kit/keys/chord.js";
import type { Command } from "../../kit/keys/command.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, pageBody, type Screen } from "../../kit/screen.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line } from "../../kit/text/segment.js";
import { moveCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import type { ResourceChange, Sent } from "./changes.js";
import { Checker, refuse } from "./checker.js";
import { commandWords, shellText } from "./command-text.js";
import { FormCursor } from "./cursor.js";
import { drawForm, roomForRows } from "./draw.js";
import { editAsText } from "./edit-as-text.js";
import { followChange } from "./follow-change.js";
import type { Form } from "./form.js";
import { isOvertaken, rebased } from "./rebase.js";
import { rowsOf, sameRow } from "./rows.js";
import { suggestionsFor } from "./suggest.js";

/** What is done when a form was taken: goes to what it is about. */
export type Taken = (name: string, kind: string) => void;

/** A form in which a resource is made or changed. */
export class FormScreen implements Screen {
  readonly kind = undefined;
  readonly isTyping = true;
  readonly #program: Program;
  readonly #cursor: FormCursor;
  readonly #checker: Checker;
  readonly #onTaken: Taken;
  /** The form as YAML is shown in its place. */
  #preview: Page | undefined;
  /** What to do with what was typed is asked. */
  #isAsking = false;
  #isSending = false;
  #isUntouched = true;
  #top = 0;
  #room = 1;
  #commandText: string | undefined;

  constructor(program: Program, form: Form, onTaken: Taken) {
    this.#program = program;
    this.#onTaken = onTaken;
    const { fleet, kinds } = program.model;
    const place = () => ({ fleet, kinds, host: this.form.hostId });
    this.#cursor = new FormCursor(
      form,
      (node) => suggestionsFor(this.form, node, place()),
      (node) => form.aim.hints.cannot?.(node.schema.path, place()) ?? new Map(),
    );
    this.#checker = new Checker(program.changes, () => program.model.changed());
    // What was filled in is checked before anybody types.
    if (form.fault === undefined) this.#checker.changed(form);
  }

  get form(): Form {
    return this.#cursor.form;
  }

  get commands(): readonly Command[] {
    return this.#preview === undefined ? this.#formCommands() : this.#previewCommands(this.#preview);
  }

  title(): string {
    const { kind, base } = this.form.aim;
    return base === undefined ? `new ${kind.singular}` : `edit ${kind.singular} ${shortName(base.name)}`;
  }

  draw(width: number, height: number): Body {
    if (this.#preview !== undefined) return this.#drawPreview(this.#preview, width, height);
    const rows = rowsOf(this.form);
    const here = this.#cursor.row(rows);
    const at = rows.findIndex((row) => sameRow(row, here));
    this.#room = roomForRows(width, height);
    this.#top = Math.max(
      0,
      Math.min(Math.max(this.#top, at - this.#room + 1), at, Math.max(0, rows.length - this.#room)),
    );
    const view = {
      rows,
      cursor: this.#cursor,
      top: this.#top,
      command: this.#command(),
      candidates: this.#cursor.candidates(),
    };
    const shown = Math.min(this.#room, rows.length);
    return {
      lines: drawForm(view, width, height),
      extent: { top: this.#top, shown, length: rows.length },
      facts: this.#facts(),
      ...(this.#isAsking ? { aside: "leave without saving what you typed? y leaves, any other key goes on" } : {}),
    };
  }

  subject(): Row | undefined {
    return undefined;
  }

  press(chord: string): void {
    if (this.#preview !== undefined) return;
    if (this.#isAsking) {
      this.#isAsking = false;
      if (chord === "y") this.#program.model.pop();
      return;
    }
    if (chord === "E" && this.#isUntouched && this.form.aim.base !== undefined) {
      this.#editText();
      return;
    }
    const text = textOf(chord);
    if (text !== undefined) this.#change(() => this.#cursor.type(text));
  }

  pasted(text: string): boolean {
    const [line = ""] = text.split(/[\r\n]/, 1);
    if (this.#preview === undefined && !this.#isAsking) this.#change(() => this.#cursor.type(line));
    return true;
  }

  /** Ctrl-C asks as Escape does, where there is something to lose. */
  interrupt(): boolean {
    if (!this.form.isDirty || this.#isAsking) return false;
    this.#preview = undefined;
    this.#isAsking = true;
    return true;
  }

  back(): boolean {
    if (this.#preview !== undefined) this.#preview = undefined;
    else if (this.#isAsking) this.#isAsking = false;
    else if (this.form.isDirty) this.#isAsking = true;
    else return false;
    return true;
  }

  click({ line, isDouble }: { readonly line: number; readonly isDouble: boolean }): void {
    if (this.#preview !== undefined || line >= this.#room) return;
    const before = this.#cursor.row();
    if (!this.#cursor.point(this.#top + line)) return;
    if (isDouble || sameRow(before, this.#cursor.row())) this.#change(() => this.#cursor.enter());
  }

  closed(): void {
    this.#checker[Symbol.dispose]();
  }

  #facts(): Line {
    if (this.#isSending) return [{ text: " asked", tone: "busy" }];
    const wrong = this.form.fault;
    if (wrong !== undefined) return [{ text: ` ${plainText(wrong)}`, tone: "warn" }];
    const { verdict } = this.#checker;
    if (verdict === "asking") return [{ text: " checking", tone: "busy" }];
    if (verdict === "bad") return [{ text: " ✗ it would not be taken", tone: "bad" }];
    const isSame = this.form.aim.base !== undefined && this.#isSame();
    if (isSame) return [{ text: " nothing is changed", tone: "dim" }];
    return verdict === "good" ? [{ text: " ✓ it would be taken", tone: "good" }] : [];
  }

  #isSame(): boolean {
    return this.#findChange() === undefined;
  }

  /** The change as it is typed so far; undefined: there is none, or it cannot be told. */
  #findChange(): ResourceChange | undefined {
    try {
      return this.form.change();
    } catch {
      return undefined;
    }
  }

  #command(): string {
    this.#commandText ??= shellText(commandWords(this.form, this.#findChange()));
    return this.#commandText;
  }

  #change(how: () => unknown): void {
    this.#isUntouched = false;
    this.#commandText = undefined;
    how();
    this.#checker.changed(this.form);
  }

  #drawPreview(page: Page, width: number, height: number): Body {
    const yaml = stringify(this.form.json()).trimEnd().split("\n");
    const lines = [`# ${this.form.name}`, ...yaml, "", `$ ${this.#command()}`].map((line) => describeText(line));
    return pageBody(page, describeLines(lines, width), height);
  }

  #formCommands(): readonly Command[] {
    const { model } = this.#program;
    const cursor = this.#cursor;
    const [move, act, look] = ["Move", "Act", "Look"] as const;
    const change = (how: () => unknown) => () => this.#change(how);
    if (this.#isAsking) return [];
    return [
      { keys: ["up"], title: "to the field above", group: move, run: () => cursor.move(-1) },
      { keys: ["down"], title: "to the field below", group: move, run: () => cursor.move(1) },
      { keys: ["pgup"], title: "a screen up", group: move, run: () => cursor.move(-this.#room) },
      { keys: ["pgdn"], title: "a screen down", group: move, run: () => cursor.move(this.#room) },
      { keys: ["home", "ctrl-a"], title: "to the beginning of the text", group: move, run: () => cursor.edge("start") },
      { keys: ["end"], title: "to the end of the text", group: move, run: () => cursor.edge("end") },
      {
        keys: ["left"],
        title: "back in the text, the choice before, close",
        group: move,
        run: change(() => cursor.aside(-1)),
      },
      {
        keys: ["right"],
        title: "on in the text, the next choice, open",
        group: move,
        run: change(() => cursor.aside(1)),
      },
      {
        keys: ["tab"],
        title: "complete; with nothing to complete, to the next field",
        group: act,
        hint: { word: "complete", rank: 3 },
        run: () => {
          const before = cursor.typing()?.node.text;
          if (!cursor.complete()) cursor.move(1);
          else if (cursor.typing()?.node.text !== before) this.#noteTyped();
        },
      },
      { keys: ["shift-tab"], title: "to the field before", group: move, run: () => cursor.move(-1) },
      {
        keys: ["enter"],
        title: "open, add, or to the next field",
        group: act,
        hint: { word: "open, next", rank: 2 },
        run: () => {
          if (cursor.enter()) this.#noteTyped();
          else cursor.move(1);
        },
      },
      {
        keys: ["backspace"],
        title: "take away what is before the cursor",
        group: act,
        run: change(() => cursor.erase("character")),
      },
      {
        keys: ["ctrl-w"],
        title: "take away the word before the cursor",
        group: act,
        run: change(() => cursor.erase("word")),
      },
      { keys: ["ctrl-u"], title: "take away the text", group: act, run: change(() => cursor.erase("all")) },
      {
        keys: ["ctrl-n"],
        title: "add one more to the list",
        group: act,
        hint: { word: "add", rank: 6 },
        run: change(() => cursor.add() || model.say("this is no list, which could have one more")),
      },
      {
        keys: ["ctrl-d"],
        title: "take away this field, or this item of the list",
        group: act,
        hint: { word: "take away", rank: 7 },
        run: change(() => cursor.clear()),
      },
      {
        keys: ["ctrl-s"],
        title: "send it",
        group: act,
        changes: true,
        hint: { word: this.form.aim.base === undefined ? "create" : "save", rank: 1 },
        run: () => void this.#submit(),
      },
      {
        keys: ["ctrl-p"],
        title: "preview as YAML, with the same as a command",
        group: look,
        hint: { word: "preview", rank: 4 },
        run: () => {
          this.#preview = new Page();
        },
      },
      {
        keys: ["ctrl-e"],
        title: "the same as YAML in the editor ($VISUAL, $EDITOR)",
        group: act,
        changes: true,
        hint: { word: "editor", rank: 5 },
        run: () => this.#editText(),
      },
      {
        keys: ["esc"],
        title: "back; asks when something was typed",
        group: look,
        hint: { word: "back", rank: 8 },
        run: () => this.#leave(model),
      },
    ];
  }

  #previewCommands(page: Page): readonly Command[] {
    const close = () => {
      this.#preview = undefined;
    };
    return [
      ...moveCommands({ move: (by) => page.move(by), page: (by) => page.page(by) }),
      {
        keys: ["ctrl-p", "esc", "q"],
        title: "back to the form",
        group: "Look",
        hint: { word: "back to the form", rank: 1 },
        run: close,
      },
    ];
  }

  #leave(model: Program["model"]): void {
    if (model.notice?.tone === "bad") model.notice = undefined;
    if (!this.back()) model.pop();
  }

  #noteTyped(): void {
    this.#change(() => undefined);
  }

  async #submit(): Promise<void> {
    const { model, changes, signal } = this.#program;
    if (this.#isSending) return;
    const { fault } = this.form;
    if (fault !== undefined) {
      this.#cursor.toFault();
      model.say(fault, "warn");
      return;
    }
    this.#isSending = true;
    try {
      const change = this.form.change();
      if (change === undefined) {
        model.say("nothing is changed");
        model.pop();
        return;
      }
      this.#taken(change, await changes.send(change, signal));
    } catch (error) {
      if (isOvertaken(error) && this.#rebase()) return;
      refuse(this.form, error);
      if (!this.#cursor.toFault()) this.#cursor.row();
      model.say(messageOf(error), "bad");
    } finally {
      this.#isSending = false;
      model.changed();
    }
  }

  /** Puts what was typed on top of what somebody else made of the resource meanwhile; false: that is not known yet. */
  #rebase(): boolean {
    const { model } = this.#program;
    const { kind, base } = this.form.aim;
    const row = model.fleet.find(kind.singular, base?.name ?? "");
    // Rows of the kinds of the API hold messages of theirs.
    const form = rebased(this.form, row?.resource as NamedMessage | undefined);
    if (form === undefined) return false;
    this.#cursor.form = form;
    this.#noteTyped();
    model.say("somebody has changed it meanwhile: this is what is there now, with your changes; ^s saves it", "warn");
    return true;
  }

  #taken(change: ResourceChange, sent: Sent): void {
    const { model } = this.#program;
    if (model.screen === this) model.pop();
    this.#onTaken(change.name, change.kind.singular);
    followChange(this.#program, change, sent);
  }

  /** YAML in the editor; what is saved there and would be taken is sent. */
  #editText(): void {
    const { model } = this.#program;
    const start = async (): Promise<void> => {
      const edited = await editAsText(this.#program, this.form);
      if (edited === undefined) return;
      this.#cursor.form = edited;
      this.#noteTyped();
      if (this.form.fault === undefined) await this.#submit();
    };
    start()
      .catch((error: unknown) => model.say(messageOf(error), "bad"))
      .finally(() => model.changed());
  }
}

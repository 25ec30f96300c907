import type { Form } from "./form.js";
import type { ChoiceNode, FormNode, ValueNode } from "./nodes.js";
import { type FormRow, rowsOf, sameRow } from "./rows.js";
import { choicesOf } from "./values.js";

/** What may be typed into a field. */
export type Suggest = (node: ValueNode) => readonly string[];
/** Members of a choice that cannot be had, with the reason. */
export type Cannot = (node: ChoiceNode) => ReadonlyMap<string, string>;

/** Where in a form somebody is, and what the keys do there. */
export class FormCursor {
  readonly #suggest: Suggest;
  readonly #cannot: Cannot;
  #form: Form;
  #row: FormRow | undefined;
  #index = 0;
  /** Characters before the place where typed text goes. */
  #at = Number.POSITIVE_INFINITY;
  /** What was typed before Tab began to complete it. */
  #typed: string | undefined;

  constructor(form: Form, suggest: Suggest, cannot: Cannot) {
    this.#form = form;
    this.#suggest = suggest;
    this.#cannot = cannot;
  }

  get form(): Form {
    return this.#form;
  }

  /** Another form in its place, such as one whose text was edited. */
  set form(form: Form) {
    this.#form = form;
    this.#row = undefined;
  }

  /** The line that the cursor is on. */
  row(rows = rowsOf(this.#form)): FormRow | undefined {
    const index = rows.findIndex((row) => sameRow(row, this.#row));
    this.#index = index >= 0 ? index : Math.max(0, Math.min(this.#index, rows.length - 1));
    this.#row = rows[this.#index];
    return this.#row;
  }

  /** The text under the cursor, with the place in it where typing goes on; undefined: nothing is typed there. */
  typing(): { readonly node: ValueNode; readonly at: number } | undefined {
    const row = this.row();
    if (row?.role !== "field" || row.node?.type !== "value" || choicesOf(row.node.schema).length > 0) return undefined;
    return { node: row.node, at: Math.min(this.#at, [...row.node.text].length) };
  }

  /** What the text under the cursor could go on as. */
  candidates(): readonly string[] {
    const node = this.typing()?.node;
    if (node === undefined) return [];
    const typed = this.#typed ?? node.text;
    const all = this.#suggest(node);
    const begun = all.filter((each) => each.startsWith(typed));
    return begun.length > 0 ? begun : all.filter((each) => each.includes(typed));
  }

  move(by: number): void {
    const rows = rowsOf(this.#form);
    this.row(rows);
    this.#go(rows[Math.max(0, Math.min(this.#index + by, rows.length - 1))]);
  }

  /** Puts the cursor on a line that was drawn; false: there is none. */
  point(index: number): boolean {
    const row = rowsOf(this.#form)[index];
    this.#go(row ?? this.#row);
    return row !== undefined;
  }

  /** To the first field that something is wrong with; false: nothing is. */
  toFault(): boolean {
    const bad = (node: FormNode | undefined): boolean =>
      node !== undefined && (node.refusal !== undefined || (node.type === "value" && node.fault !== undefined));
    const row = rowsOf(this.#form).find(({ node, role }) => role === "field" && bad(node));
    if (row !== undefined) this.#go(row);
    return row !== undefined;
  }

  /** Puts text in where the cursor is. */
  type(text: string): void {
    const here = this.typing();
    if (here === undefined) {
      this.#initial(text);
      return;
    }
    const characters = [...here.node.text];
    characters.splice(here.at, 0, ...text);
    this.#set(here.node, characters.join(""), here.at + [...text].length);
  }

  erase(what: "character" | "word" | "all"): void {
    const here = this.typing();
    if (here === undefined) {
      this.clear();
      return;
    }
    const characters = [...here.node.text];
    const before = characters.slice(0, here.at).join("");
    const kept = { character: before.slice(0, -1), word: before.replace(/\S*\s*$/, ""), all: "" }[what];
    const left = what === "character" ? characters.slice(0, Math.max(0, here.at - 1)).join("") : kept;
    this.#set(here.node, left + characters.slice(here.at).join(""), [...left].length);
  }

  /** Left or right: in a text, among words, in or out of a group. */
  aside(by: 1 | -1): void {
    const here = this.typing();
    if (here !== undefined) {
      this.#at = Math.max(0, here.at + by);
      return;
    }
    const row = this.row();
    if (row?.role === "field" && row.node !== undefined) this.#turn(row.node, by);
  }

  /** To the beginning or the end of a text. */
  edge(to: "start" | "end"): void {
    this.#at = to === "start" ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Completes the text under the cursor, each time to the next that it may be; false: there is nothing to complete. */
  complete(): boolean {
    const here = this.typing();
    if (here === undefined) return false;
    const typed = this.#typed ?? here.node.text;
    const candidates = this.candidates();
    const at = candidates.indexOf(here.node.text);
    if (candidates.length === 0 || (candidates.length === 1 && at === 0)) return false;
    // With everything typed already, Tab goes on to the next field.
    if (this.#typed === undefined && at >= 0) return false;
    this.#set(here.node, candidates[(at + 1) % candidates.length] ?? "", Number.POSITIVE_INFINITY);
    this.#typed = typed;
    return true;
  }

  /** What Enter does on this line: opens, adds, chooses. False: nothing, it is a text. */
  enter(): boolean {
    const row = this.row();
    if (row === undefined) return false;
    const { node, role } = row;
    if (role === "more") {
      if (node?.type === "group") node.showsMore = !node.showsMore;
      else this.#form.showsMore = !this.#form.showsMore;
      return true;
    }
    if (role === "add") return this.add();
    if (node?.type === "group") {
      if (node.isSet) node.isOpen = !node.isOpen;
      else node.put();
      return true;
    }
    if (node?.type === "list") {
      if (node.items.length === 0) this.add();
      else node.isOpen = !node.isOpen;
      return true;
    }
    return false;
  }

  /** Adds one to the list that the cursor is in, and goes to it. */
  add(): boolean {
    const row = this.row();
    const list = row?.list ?? (row?.node?.type === "list" ? row.node : undefined);
    if (list === undefined) return false;
    const added = list.add();
    const rows = rowsOf(this.#form);
    const at = rows.findIndex(({ node, role }) => node === added && role === "field");
    // Of a message its first field is what is typed next.
    this.#go(rows[added.type === "group" ? at + 1 : at]);
    return true;
  }

  /** Takes away what is under the cursor: an item of a list, or all that is said of a field. */
  clear(): void {
    const row = this.row();
    if (row?.role !== "field" || row.node === undefined) return;
    const { node, list } = row;
    if (list !== undefined) list.remove(node);
    else if (node.type === "value") this.#set(node, "", 0);
    else if (node.type === "choice") node.choose("");
    else node.clear();
  }

  /** Chooses among words by the letter that they begin with. */
  #initial(text: string): void {
    const node = this.row()?.node;
    if (this.row()?.role !== "field" || node === undefined) return;
    if (text === " " && node.type !== "group" && node.type !== "list") this.#turn(node, 1);
    else if (node.type === "value")
      this.#pick(choicesOf(node.schema), node.text, text, (word) => this.#set(node, word, 0));
    else if (node.type === "choice") {
      const names = this.#members(node);
      this.#pick(names, node.chosen, text, (name) => node.choose(name));
    }
  }

  #pick(words: readonly string[], now: string, letter: string, take: (word: string) => void): void {
    const from = words.indexOf(now) + 1;
    const next = [...words.slice(from), ...words.slice(0, from)].find((word) => word.startsWith(letter.toLowerCase()));
    if (next !== undefined && letter !== "") take(next);
  }

  #turn(node: FormNode, by: 1 | -1): void {
    if (node.type === "group" || node.type === "list") {
      if (by > 0 && !node.isSet) this.enter();
      else node.isOpen = by > 0;
      return;
    }
    const words = node.type === "value" ? choicesOf(node.schema) : this.#members(node);
    const now = words.indexOf(node.type === "value" ? node.text : node.chosen);
    const next = words[(now + by + words.length) % words.length] ?? "";
    if (node.type === "value") this.#set(node, next, 0);
    else node.choose(next);
  }

  #members(node: ChoiceNode): readonly string[] {
    const cannot = this.#cannot(node);
    return ["", ...node.members.map(({ name }) => name).filter((name) => !cannot.has(name) || name === node.chosen)];
  }

  #go(row: FormRow | undefined): void {
    this.#row = row;
    this.#at = Number.POSITIVE_INFINITY;
    this.#typed = undefined;
  }

  #set(node: ValueNode, text: string, at: number): void {
    node.text = text;
    node.refusal = undefined;
    this.#at = at;
    this.#typed = undefined;
  }
}

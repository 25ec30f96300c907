import { stringify } from "yaml";
import { type Spoken, spokenLines } from "../kit/spoken/spoken.js";
import { plainText } from "../kit/text/plain-text.js";
import { commandWords, shellText } from "../screens/form/command-text.js";
import type { Form } from "../screens/form/form.js";
import type { FormScreen } from "../screens/form/form-screen.js";
import { type FormRow, rowsOf, summaryOf } from "../screens/form/rows.js";
import { choicesOf } from "../screens/form/values.js";

/** Takes the value of a field away. */
const nothing = "-";

/** Fills forms in lines: "3 2GiB" or "memory 2GiB" sets a field, a number alone explains it. */
export class FormFiller {
  readonly #press: (chord: string) => void;
  #isLeaving = false;
  said: readonly string[] = [];

  constructor(press: (chord: string) => void) {
    this.#press = press;
  }

  /** The fields, a line each. */
  spoken(form: Form): Spoken {
    return spokenLines(rowsOf(form).map((row) => ({ text: rowText(row), pick: () => undefined })));
  }

  /** Does what a line says of a form; false: it says nothing of its fields. */
  take(screen: FormScreen, line: string): boolean {
    const { form } = screen;
    this.said = [];
    if (this.#isLeaving) {
      this.#isLeaving = false;
      this.#press(line === "y" ? "y" : "esc");
      if (line !== "y") this.said = ["the form goes on"];
      return true;
    }
    if (line === "back" || line === "cancel") {
      this.#isLeaving = form.isDirty;
      this.#press("esc");
      if (this.#isLeaving) this.said = ["leave without saving what you typed? y leaves, anything else goes on"];
      return true;
    }
    if (line === "preview") {
      this.said = previewLines(form);
      return true;
    }
    const rows = rowsOf(form);
    const [row, value] = meantRow(rows, line);
    if (row === undefined) return false;
    if (value === "" && row.role !== "more" && row.node?.type !== "group") {
      this.said = explained(row);
      return true;
    }
    const added = put(form, row, value === nothing ? "" : value);
    // It is checked as it is when it is typed.
    screen.pasted("");
    const at = rowsOf(form).find(({ node }) => node === (added ?? row.node)) ?? row;
    const opened = row.role === "more" || row.node?.type === "group";
    this.said = opened ? rowsOf(form).map((each, index) => `${index + 1}. ${rowText(each)}`) : [rowText(at)];
    return true;
  }
}

/** The field that a line begins with, by its number or its name, and what follows. */
function meantRow(rows: readonly FormRow[], line: string): readonly [row: FormRow | undefined, value: string] {
  const [, number, rest = ""] = /^(\d+)(?:\s*[=:]\s*|\s+|$)(.*)$/.exec(line) ?? [];
  if (number !== undefined) return [rows[Number(number) - 1], rest.trim()];
  const named = rows
    .filter(({ role, label }) => role === "field" && label !== "" && line.toLowerCase().startsWith(label.toLowerCase()))
    .sort((one, other) => other.label.length - one.label.length)
    .find(({ label }) => /^(\s|=|:|$)/.test(line.slice(label.length)));
  if (named !== undefined)
    return [
      named,
      line
        .slice(named.label.length)
        .replace(/^\s*[=:]?\s*/, "")
        .trim(),
    ];
  const more = rows.find(({ role }) => role === "more");
  return line === "more" || line === "less" ? [more, ""] : [undefined, ""];
}

/** Puts a value where a row is; of a list one more, which is returned. */
function put(form: Form, { node, role }: FormRow, value: string): FormRow["node"] {
  if (role === "more") {
    const group = node?.type === "group" ? node : form;
    group.showsMore = !group.showsMore;
  } else if (node?.type === "list") {
    const added = value === "" ? undefined : node.add();
    if (added === undefined) node.clear();
    if (added?.type === "value") added.text = value;
    return added;
  } else if (node?.type === "group") {
    if (value === "" && node.isOpen) node.isOpen = false;
    else node.put();
  } else if (node?.type === "choice") node.choose(value.replaceAll(" ", "_"));
  else if (node !== undefined) {
    node.text = value;
    node.refusal = undefined;
  }
  return undefined;
}

function rowText({ node, role, label, depth }: FormRow): string {
  if (node === undefined || role === "more") return label;
  if (role === "add") return `add to ${label.replace(/^\+ /, "")}`;
  const value = summaryOf(node);
  const usual = node.schema.usual === "" ? "" : `, usually ${node.schema.usual}`;
  const wrong = node.refusal ?? (node.type === "value" ? node.fault : undefined);
  const within = depth === 0 ? "" : `level ${depth + 1}, `;
  return plainText(
    `${within}${label}: ${value === "" ? `nothing${usual}` : value}${wrong === undefined ? "" : `, wrong: ${wrong}`}`,
  );
}

/** All of it as YAML, and the command that does the same. */
function previewLines(form: Form): readonly string[] {
  let change: ReturnType<Form["change"]>;
  try {
    change = form.change();
  } catch {
    // What is not finished has no change yet.
  }
  const yaml = stringify(form.json()).trimEnd().split("\n");
  return [form.name, ...yaml, `zor: ${shellText(commandWords(form, change))}`].map(plainText);
}

function explained(row: FormRow): readonly string[] {
  const { node } = row;
  if (node === undefined) return [row.label];
  const { help } = node.schema;
  const words = node.type === "choice" ? node.members.map(({ name }) => name) : choicesOf(node.schema);
  const choices = words.filter((word) => word !== "");
  return [
    rowText(row),
    ...(help === "" ? [] : [plainText(help.replaceAll(/\s+/g, " "))]),
    ...(choices.length === 0 ? [] : [`One of ${plainText(choices.join(", "))}.`]),
    "Its number and a value sets it; - takes it away.",
  ];
}

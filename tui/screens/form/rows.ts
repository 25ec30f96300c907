import type { JsonValue } from "@bufbuild/protobuf";
import { scalarText } from "../../kit/input/scalar-text.js";
import type { Form } from "./form.js";
import { type FormNode, type GroupNode, type ListNode, messageJson } from "./nodes.js";

/** One line of a form that the cursor can be on. */
export interface FormRow {
  /** Of "more" the group whose fields it shows; undefined: the form itself. */
  readonly node: FormNode | undefined;
  readonly role: "field" | "add" | "more";
  readonly depth: number;
  readonly label: string;
  /** The list that it is an item of. */
  readonly list?: ListNode | undefined;
}

/** Groups with no more fields than this show them all. */
const fewFields = 8;
/** Of others so many are common, where the kind does not say which. */
const commonFields = 6;

const split = new WeakMap<object, Split>();

interface Split {
  readonly common: readonly FormNode[];
  readonly others: readonly FormNode[];
}

/** The lines of a form, in order. */
export function rowsOf(form: Form): readonly FormRow[] {
  const rows: FormRow[] = [];
  for (const node of [form.host, form.id]) if (node !== undefined) rows.push(fieldRow(node, 0));
  const { common, others } = splitForm(form);
  for (const node of common) push(rows, form, node, 0);
  if (others.length > 0) {
    rows.push({ node: undefined, role: "more", depth: 0, label: moreLabel(form.showsMore, others) });
    if (form.showsMore) for (const node of others) push(rows, form, node, 0);
  }
  return rows;
}

/** Whether two rows are the same, however often they were made. */
export function sameRow(one: FormRow | undefined, other: FormRow | undefined): boolean {
  return one !== undefined && other !== undefined && one.node === other.node && one.role === other.role;
}

/** What stands in a group, in a few words. */
export function summaryOf(node: FormNode): string {
  if (node.type === "value") return node.text;
  if (node.type === "choice") return node.chosen.replaceAll("_", " ");
  if (node.type === "list") return node.items.length === 0 ? "" : `${node.items.length}`;
  return node.isSet ? textsOf(messageJson(node.children)).slice(0, 6).join(", ") || "set" : "";
}

function textsOf(json: JsonValue): string[] {
  if (Array.isArray(json)) return json.flatMap(textsOf);
  if (typeof json !== "object" || json === null) return [scalarText(json)];
  return Object.entries(json).flatMap(([key, value]) => (typeof value === "string" ? [value] : keyed(key, value)));
}

function keyed(key: string, value: JsonValue): string[] {
  if (value === true) return [key];
  return typeof value === "object" ? textsOf(value) : [`${key} ${scalarText(value)}`];
}

/** What a resource should be stands where the resource does: its fields are the form's. */
function splitForm(form: Form): Split {
  const known = split.get(form);
  if (known !== undefined) return known;
  const spec = form.fields.find(({ schema }) => schema.name === "spec");
  const fields = form.fields.filter((node) => node !== spec);
  const specFields = spec?.type === "group" ? spec.children : [];
  const made = splitNodes(form, specFields.length === 0 ? fields : specFields);
  const rest = specFields.length === 0 ? [] : [...fields, ...form.extras];
  const whole = {
    common: made.common,
    others: [...made.others, ...rest.filter((node) => !made.common.includes(node))],
  };
  split.set(form, whole);
  return whole;
}

function splitNodes({ aim: { hints } }: Form, nodes: readonly FormNode[]): Split {
  const named = (hints.first ?? []).flatMap((path) => nodes.filter(({ schema }) => schema.path === path));
  if (named.length === 0 && nodes.length <= fewFields) return { common: nodes, others: [] };
  const first = named.length > 0 ? named : nodes.slice(0, commonFields);
  const common = [...first, ...nodes.filter((node) => !first.includes(node) && node.isSet)];
  return { common, others: nodes.filter((node) => !common.includes(node)) };
}

function push(rows: FormRow[], form: Form, node: FormNode, depth: number): void {
  rows.push(fieldRow(node, depth));
  if (node.type === "group" && node.isOpen) pushGroup(rows, form, node, depth + 1);
  if (node.type === "list" && node.isOpen) pushItems(rows, form, node, depth + 1);
  const chosen = node.type === "choice" ? node.node : undefined;
  if (chosen?.type === "group") pushGroup(rows, form, chosen, depth + 1);
  else if (chosen !== undefined) push(rows, form, chosen, depth + 1);
}

function pushGroup(rows: FormRow[], form: Form, group: GroupNode, depth: number): void {
  const { children } = group;
  const parts = split.get(children) ?? splitNodes(form, children);
  split.set(children, parts);
  for (const child of parts.common) push(rows, form, child, depth);
  if (parts.others.length === 0) return;
  rows.push({ node: group, role: "more", depth, label: moreLabel(group.showsMore, parts.others) });
  if (group.showsMore) for (const child of parts.others) push(rows, form, child, depth);
}

function pushItems(rows: FormRow[], form: Form, list: ListNode, depth: number): void {
  list.items.forEach((item, index) => {
    rows.push({ ...fieldRow(item, depth), label: `${item.schema.label} ${index + 1}`, list });
    if (item.type === "group" && item.isOpen) pushGroup(rows, form, item, depth + 1);
  });
  rows.push({ node: list, role: "add", depth, label: `+ ${list.item.label}` });
}

function fieldRow(node: FormNode, depth: number): FormRow {
  return { node, role: "field", depth, label: node.schema.label };
}

function moreLabel(isOpen: boolean, others: readonly FormNode[]): string {
  return isOpen ? "less" : `more (${others.length})`;
}

import type { JsonValue } from "@bufbuild/protobuf";
import type { MessageJson } from "../../kit/input/fields.js";
import { scalarText } from "../../kit/input/scalar-text.js";
import type { FieldSchema } from "./schema.js";
import { readText, writeText } from "./values.js";

/** What stands in a form: the tree of a resource with what was typed, also where that makes no sense yet. */
export type FormNode = ValueNode | GroupNode | ListNode | ChoiceNode;

/** What lists are of. */
type ItemNode = ValueNode | GroupNode;

/** A text, or what is chosen of a few words. */
export class ValueNode {
  readonly type = "value";
  readonly schema: FieldSchema;
  text: string;
  /** What the server says is wrong with it. */
  refusal: string | undefined;

  constructor(schema: FieldSchema, json?: JsonValue) {
    this.schema = schema;
    this.text = writeText(schema, json);
  }

  /** What is wrong with what was typed. */
  get fault(): string | undefined {
    const read = readText(this.schema, this.text);
    return "fault" in read ? read.fault : undefined;
  }

  get isSet(): boolean {
    return this.text !== "";
  }

  json(): JsonValue | undefined {
    const read = readText(this.schema, this.text);
    return "fault" in read ? undefined : read.value;
  }
}

/** A message: its fields are there when it is. */
export class GroupNode {
  readonly type = "group";
  readonly schema: FieldSchema;
  refusal: string | undefined;
  isOpen = false;
  /** The fields that are not common are shown. */
  showsMore = false;
  readonly #needed: boolean;
  #children: readonly FormNode[] | undefined;

  /** @param needed it is there even when nothing of it is said. */
  constructor(schema: FieldSchema, json: JsonValue | undefined, needed: boolean) {
    this.schema = schema;
    this.#needed = needed;
    if (needed || isMessage(json)) this.#fill(isMessage(json) ? json : {});
    if (needed) this.isOpen = true;
  }

  /** Its fields; none while it is not there. */
  get children(): readonly FormNode[] {
    return this.#children ?? [];
  }

  get isSet(): boolean {
    return this.#needed ? this.children.some((child) => child.isSet) : this.#children !== undefined;
  }

  /** Says something of it, if only that it is there. */
  put(): void {
    if (this.#children === undefined) this.#fill({});
    this.isOpen = true;
  }

  /** Says nothing of it any more. */
  clear(): void {
    this.#children = undefined;
    this.isOpen = false;
    if (this.#needed) this.#fill({});
  }

  json(): JsonValue | undefined {
    return this.#children === undefined ? undefined : messageJson(this.#children);
  }

  #fill(json: MessageJson): void {
    const { shape } = this.schema;
    const fields = shape.type === "message" ? shape.fields() : [];
    this.#children = fields.map((field) => nodeOf(field, json));
  }
}

/** A list, or a map: its entries are texts "key=value" then. */
export class ListNode {
  readonly type = "list";
  readonly schema: FieldSchema;
  refusal: string | undefined;
  isOpen = false;
  readonly item: FieldSchema;
  readonly isMap: boolean;
  #items: ItemNode[];

  constructor(schema: FieldSchema, json?: JsonValue) {
    this.schema = schema;
    const { shape } = schema;
    if (shape.type !== "list" && shape.type !== "map") throw new Error(`${schema.path} is no list`);
    this.isMap = shape.type === "map";
    this.item = this.isMap ? { ...shape.item, shape: { type: "map", item: shape.item } } : shape.item;
    const values = this.isMap ? entriesOf(json) : Array.isArray(json) ? json : [];
    this.#items = values.map((value) => this.#itemOf(value));
    this.isOpen = values.length > 0 && values.length <= 4;
  }

  get items(): readonly ItemNode[] {
    return this.#items;
  }

  get isSet(): boolean {
    return this.#items.length > 0;
  }

  /** Adds one at the end. */
  add(json?: JsonValue): ItemNode {
    const added = this.#itemOf(json);
    this.#items.push(added);
    if (added.type === "group") added.isOpen = true;
    this.isOpen = true;
    return added;
  }

  remove(item: FormNode): void {
    this.#items = this.#items.filter((each) => each !== item);
  }

  clear(): void {
    this.#items = [];
  }

  json(): JsonValue | undefined {
    const values = this.#items.map((item) => item.json()).filter((value) => value !== undefined);
    if (values.length === 0) return undefined;
    if (!this.isMap) return values;
    return Object.fromEntries(values.map((entry) => splitEntry(scalarText(entry))));
  }

  #itemOf(json: JsonValue | undefined): ItemNode {
    if (this.item.shape.type !== "message") return new ValueNode(this.item, json);
    const group = new GroupNode(this.item, json ?? {}, true);
    group.isOpen = false;
    return group;
  }
}

/** One of several fields: a word says which. */
export class ChoiceNode {
  readonly type = "choice";
  readonly schema: FieldSchema;
  refusal: string | undefined;
  readonly members: readonly FieldSchema[];
  /** What was said of each that was chosen once. */
  readonly #nodes = new Map<string, FormNode>();
  #chosen = "";

  constructor(schema: FieldSchema, json: MessageJson) {
    this.schema = schema;
    this.members = schema.shape.type === "choice" ? schema.shape.members : [];
    const member = this.members.find(({ jsonName }) => json[jsonName] !== undefined);
    if (member !== undefined) this.choose(member.name, json);
  }

  /** Name of the field that it is; empty: none. */
  get chosen(): string {
    return this.#chosen;
  }

  get node(): FormNode | undefined {
    return this.#nodes.get(this.#chosen);
  }

  get isSet(): boolean {
    return this.#chosen !== "";
  }

  /** Takes a member by its name, with what was said of it before; empty: none. */
  choose(name: string, json: MessageJson = {}): void {
    const member = this.members.find((each) => each.name === name);
    this.#chosen = member?.name ?? "";
    if (member === undefined || this.#nodes.has(name)) return;
    const value = json[member.jsonName];
    const isGroup = member.shape.type === "message";
    this.#nodes.set(name, isGroup ? new GroupNode(member, value ?? {}, true) : nodeOf(member, json));
  }
}

/** The node of a field with its value in the JSON of a message. */
function nodeOf(schema: FieldSchema, json: MessageJson): FormNode {
  const value = json[schema.jsonName];
  switch (schema.shape.type) {
    case "message":
      return new GroupNode(schema, value, false);
    case "list":
    case "map":
      return new ListNode(schema, value);
    case "choice":
      return new ChoiceNode(schema, json);
    default:
      return new ValueNode(schema, value);
  }
}

/** The JSON of a message with these fields. */
export function messageJson(children: readonly FormNode[]): MessageJson {
  const json: MessageJson = {};
  for (const child of children) {
    const node = child.type === "choice" ? child.node : child;
    const value = child.type === "choice" ? chosenJson(child) : child.json();
    if (node !== undefined && value !== undefined) json[node.schema.jsonName] = value;
  }
  return json;
}

function chosenJson({ node }: ChoiceNode): JsonValue | undefined {
  if (node === undefined || node.type === "choice") return undefined;
  const json = node.json();
  // That it was chosen is said even when its value is nothing.
  return json ?? (node.type === "value" && node.schema.shape.type === "text" ? "" : undefined);
}

/** All values below, those of what is chosen. */
export function* valuesBelow(nodes: readonly FormNode[]): Iterable<ValueNode> {
  for (const node of nodes) {
    if (node.type === "value") yield node;
    else if (node.type === "choice") yield* valuesBelow(node.node === undefined ? [] : [node.node]);
    else yield* valuesBelow(node.type === "list" ? node.items : node.children);
  }
}

function entriesOf(json: JsonValue | undefined): JsonValue[] {
  return isMessage(json) ? Object.entries(json).map(([key, value]) => `${key}=${scalarText(value)}`) : [];
}

function splitEntry(entry: string): [string, string] {
  const at = entry.indexOf("=");
  return [entry.slice(0, at), entry.slice(at + 1)];
}

function isMessage(json: JsonValue | undefined): json is MessageJson {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

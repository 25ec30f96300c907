import type { DescMessage } from "@bufbuild/protobuf";
import type { FieldViolation } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { bytesToJson, jsonToBytes } from "../../../lib/grpc/json.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import { findKind, type Kind, livesOnHosts } from "../../../lib/kinds/kinds.js";
import { changedPaths } from "../../../lib/kinds/mask.js";
import { findStandardMethod } from "../../../lib/kinds/verbs.js";
import type { FormHints } from "../../kit/form-hints.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { hostOf, idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { ResourceChange } from "./changes.js";
import { namedBy } from "./comments.js";
import { type FormNode, GroupNode, messageJson, ValueNode, valuesBelow } from "./nodes.js";
import { nodeAt, whereMeant } from "./refusals.js";
import { type Comments, type FieldSchema, fieldsOf } from "./schema.js";

/** What a form is for. */
export interface FormAim {
  readonly kind: Kind;
  /** Top-level fields that people can change, in snake_case. */
  readonly changeable: readonly string[];
  readonly hints: FormHints;
  readonly comments: Comments;
  /** The resource as it is; undefined: one is made. */
  readonly base?: NamedMessage | undefined;
  /** What is filled in before anybody types; of a resource that is there, instead of it. */
  readonly filled?: { readonly host?: string; readonly id?: string; readonly json?: MessageJson };
}

/** A form of one resource: what is typed, what is wrong with it, and the change that it means. */
export class Form {
  readonly aim: FormAim;
  /** Id of the host it is made on; undefined: it is there already, or is of the hub. */
  readonly host: ValueNode | undefined;
  readonly id: ValueNode | undefined;
  /** What of the resource can be said. */
  readonly fields: readonly FormNode[];
  /** What the request says besides. */
  readonly extras: readonly FormNode[];
  /** What the server says is wrong, and with no field. */
  complaints: readonly string[] = [];
  /** The fields that are not common are shown. */
  showsMore = false;
  /** It holds changes that were made to an older version of the resource. */
  isMerged = false;
  #atFirst: string;

  constructor(aim: FormAim) {
    this.aim = aim;
    const { kind, base, comments, filled = {} } = aim;
    const json = filled.json ?? (base === undefined ? {} : jsonOf(kind, base));
    if (base === undefined) {
      if (livesOnHosts(kind)) this.host = ownField("host", "the host that it is on", filled.host);
      this.id = ownField("name", `what the ${kind.singular} is called: lower-case letters, digits and "-"`, filled.id);
    }
    const wanted = new Set(aim.changeable);
    this.fields = fieldsOf(messageType(kind.type), "", comments)
      .filter(({ name }) => wanted.has(name))
      .map((schema) => topNode(schema, json));
    this.extras = base === undefined ? extraNodes(kind, comments) : [];
    this.#atFirst = this.#state();
  }

  /** Somebody has typed something that is not sent. */
  get isDirty(): boolean {
    return this.isMerged || this.#state() !== this.#atFirst;
  }

  /** Full name of the resource. */
  get name(): string {
    const { base, kind } = this.aim;
    if (base !== undefined) return base.name;
    const own = `${kind.plural}/${this.id?.text ?? ""}`;
    return this.host === undefined ? own : `hosts/${this.host.text}/${own}`;
  }

  /** Id of the host that it is on; empty: it is of the hub. */
  get hostId(): string {
    return this.host?.text ?? hostOf(this.aim.base?.name ?? "") ?? "";
  }

  /** Every value that can be typed now. */
  *values(): Iterable<ValueNode> {
    if (this.host !== undefined) yield this.host;
    if (this.id !== undefined) yield this.id;
    yield* valuesBelow([...this.fields, ...this.extras]);
  }

  /** What is wrong with what was typed, as far as that is known here; undefined: nothing. */
  get fault(): string | undefined {
    for (const node of [this.host, this.id]) if (node?.text === "") return `say the ${node.schema.label} first`;
    for (const node of this.values()) if (node.fault !== undefined) return `${node.schema.label} ${node.fault}`;
    return undefined;
  }

  /** The resource as the API's JSON, as it is typed so far. */
  json(): MessageJson {
    return messageJson(this.fields);
  }

  /** Names a thing where the API says that one of its kind is named: "spec.instance" of a snapshot. */
  begin(row: Row): void {
    for (const node of this.values()) {
      const { path, help } = node.schema;
      if (path !== `spec.${row.kind}` || node.text !== "") continue;
      const named = namedBy(help);
      if (named?.kinds.some((word) => findKind(word)?.singular === row.kind) !== true) continue;
      if (named.isFull) node.text = row.name;
      else if (row.host === this.hostId) node.text = row.id;
    }
    this.#atFirst = this.#state();
  }

  /** The same form with another resource in it, such as one that was edited as a text. */
  with(resource: NamedMessage): Form {
    const filled = { host: this.host?.text ?? "", id: this.id?.text ?? "", json: jsonOf(this.aim.kind, resource) };
    const form = new Form({ ...this.aim, filled });
    form.#atFirst = this.#atFirst;
    return form;
  }

  /** The change that is asked for; undefined: nothing is changed. @throws {ZorError} for what cannot be sent. */
  change(): ResourceChange | undefined {
    const { kind, base, changeable } = this.aim;
    const codec = codecOf(kind.singular);
    const resource = codec.decode(jsonToBytes(kind.type, this.json()));
    if (base === undefined) {
      const extras = this.extras.length === 0 ? {} : messageJson(this.extras);
      return { type: "create", kind, name: this.name, resource, extras };
    }
    const before = codec.decode(jsonToBytes(kind.type, shownJson(this.aim)));
    const paths = changedPaths(kind.singular, before, resource).filter((path) =>
      changeable.includes(path.split(".")[0] ?? ""),
    );
    const etag = "etag" in base && typeof base.etag === "string" ? base.etag : "";
    return paths.length === 0
      ? undefined
      : { type: "update", kind, name: base.name, resource, before: base, paths, etag };
  }

  /** Puts what the server says to the fields that it names. */
  refuse(violations: readonly FieldViolation[], message: string, resource?: string): void {
    this.accept();
    const others: string[] = [];
    for (const { field, description } of violations) {
      const node = this.#find(field);
      if (node === undefined) others.push(`${field}: ${description}`);
      else node.refusal = description;
    }
    if (violations.length === 0) {
      const node = whereMeant(this.values(), resource, this.name === resource ? this.id : undefined);
      if (node === undefined) others.push(message);
      else node.refusal = message;
    }
    this.complaints = others;
  }

  /** Nothing is wrong any more as far as the server is asked. */
  accept(): void {
    this.complaints = [];
    const forget = (nodes: readonly FormNode[]): void => {
      for (const node of nodes) {
        node.refusal = undefined;
        if (node.type === "group") forget(node.children);
        if (node.type === "list") forget(node.items);
        if (node.type === "choice" && node.node !== undefined) forget([node.node]);
      }
    };
    forget([this.host, this.id].filter((node) => node !== undefined));
    forget([...this.fields, ...this.extras]);
  }

  #find(field: string): FormNode | undefined {
    const { singular } = this.aim.kind;
    const path = field.replace(new RegExp(`^${singular}\\.`), "");
    if (path === `${singular}_id` || path === "name") return this.id;
    if (path === "parent") return this.host;
    return nodeAt([...this.fields, ...this.extras], path);
  }

  #state(): string {
    const typed = [...this.values()].map(({ text }) => text);
    return JSON.stringify([typed, this.json(), messageJson(this.extras)]);
  }
}

/** The part of a resource that a form shows. */
function shownJson(aim: FormAim): MessageJson {
  const { kind, base, comments, changeable } = aim;
  const json = base === undefined ? {} : jsonOf(kind, base);
  const nodes = fieldsOf(messageType(kind.type), "", comments)
    .filter(({ name }) => changeable.includes(name))
    .map((schema) => topNode(schema, json));
  return messageJson(nodes);
}

/** A field of the resource itself: what it should be is there in any case. */
function topNode(schema: FieldSchema, json: MessageJson): FormNode {
  if (schema.shape.type === "message") return new GroupNode(schema, json[schema.jsonName], true);
  const [node] = new GroupNode({ ...schema, shape: { type: "message", fields: () => [schema] } }, json, true).children;
  if (node === undefined) throw new Error(`${schema.path} makes no field`);
  return node;
}

function ownField(name: string, help: string, text = ""): ValueNode {
  const schema: FieldSchema = {
    name,
    jsonName: name,
    label: name,
    help,
    usual: "",
    path: name,
    shape: { type: "text" },
  };
  return new ValueNode(schema, text);
}

/** Fields of the request that are neither the resource nor what every request has. */
function extraNodes(kind: Kind, comments: Comments): readonly FormNode[] {
  const found = findStandardMethod(kind.singular, "create");
  if (found === undefined) return [];
  const [, service = "", method = ""] = found.method.path.split("/");
  const input = descriptors()
    .registry.getService(service)
    ?.methods.find(({ name }) => name === method)?.input;
  if (input === undefined) return [];
  const known = ["parent", "request_id", "validate_only", `${kind.singular}_id`, kind.singular];
  return fieldsOf(input, "request", comments)
    .filter(({ name }) => !known.includes(name))
    .map((schema) => topNode(schema, {}));
}

/** A resource as the API's JSON. */
export function jsonOf(kind: Kind, resource: NamedMessage): MessageJson {
  // Messages of kinds are JSON objects.
  return bytesToJson(kind.type, codecOf(kind.singular).encode(resource).finish()) as MessageJson;
}

/** The type of a message. @throws {Error} when there is none. */
function messageType(name: string): DescMessage {
  const type = descriptors().registry.getMessage(name);
  if (type === undefined) throw new Error(`there is no message type ${name}`);
  return type;
}

/** An id that nothing in `taken` has: "vm1-2" of "vm1". */
export function freeId(wanted: string, taken: Iterable<string>): string {
  const names = new Set([...taken].map(idOf));
  const [, stem = wanted, count = "1"] = /^(.*?)-?(\d+)?$/.exec(wanted) ?? [];
  if (!names.has(wanted)) return wanted;
  for (let next = Number(count) + 1; ; next += 1) {
    const id = /\d$/.test(wanted) && !wanted.includes("-") ? `${stem}${next}` : `${stem}-${next}`;
    if (!names.has(id)) return id;
  }
}

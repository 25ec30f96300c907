import type { DescMessage } from "@bufbuild/protobuf";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { invalidArgument, ZorError } from "../errors.js";
import { descriptors } from "../grpc/descriptors.js";
import type { NamedMessage } from "../kinds/codecs.js";
import { allKinds, findKindByType, type Kind, kindNamed } from "../kinds/kinds.js";
import { enumNames, timeOf } from "../list/comparison.js";
import { type Field, fieldNames, findField, findMember, type ValueType } from "../list/field.js";
import { quote } from "../names.js";
import { nearest } from "../nearest.js";
import { driverWords, endNamesOf, idOf, isNamed, kindWordsOf, searchedText } from "./derived.js";
import type { Facts } from "./facts.js";
import { parsePath, pathText } from "./path.js";
import { type Unit, unitOfName } from "./quantity.js";
import { figureNamesOf, figureWordOf, shortNamesOf, shortPathsOf } from "./short-names.js";
import type { Path } from "./tree.js";

/** Something that can be asked of a resource: a field of its message, or what is known of it besides. */
export interface QueryField {
  /** As messages to people name it. Of one kind two fields of one name are the same. */
  readonly text: string;
  readonly value: ValueType;
  readonly unit?: Unit;
  /** A number without a unit would say nothing. */
  readonly needsUnit?: boolean;
  /** The only values that there are. */
  readonly choices?: readonly string[];
  /** Whether {@link read} gives a list of values, any of which counts. */
  readonly isRepeated: boolean;
  /** What else than the resource its value depends on. */
  readonly source: "resource" | "clock" | "figures" | "links";
  /** Of {@link source} "figures": which one. */
  readonly figure?: Figure;
  /** Top-level fields of the message, by ts-proto's names, that it looks at. */
  readonly tops: readonly string[];
  /** Whether a value is what was asked for, where that is more than being the same text. */
  readonly equals?: (value: string, wanted: string) => boolean;
  /** @param resource message in the form of ts-proto. */
  read(resource: unknown, facts: Facts): unknown;
}

/**
 * Finds what a path asks of a kind of resource: fields of its message come first, then short names, figures, what stands in spec or status, and
 * fields of other kinds that belong to it ("link.rtt").
 * @param where names the request's field in errors. @param type full name of the message, "zor.v1.Instance".
 * @throws {ZorError} INVALID_ARGUMENT that names the fields there are.
 */
export function findQueryField(where: string, type: string, path: Path): QueryField {
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message type ${type}`);
  const [first = ""] = path;
  const kind = findKindByType(type)?.singular ?? "";
  if (path.length === 1 && first === "name") return nameField(where, type, path);
  if (findMember(message, first) !== undefined) return ofMessage(findField(where, type, path));
  const found = derived(kind, path) ?? short(where, type, kind, path) ?? within(where, message, path);
  return found ?? ofOther(where, kind, path) ?? unknown(where, type, kind, path);
}

/** Words that a query of a kind can ask for, the short ones first. */
export function fieldWords(kind: string): string[] {
  const message = messageOf(kind);
  const inner = ["spec", "status"].flatMap((name) => {
    const member = message === undefined ? undefined : findMember(message, name);
    return member?.fieldKind === "message" ? fieldNames(member.message) : [];
  });
  const own = [...derivedWords(kind), ...shortNamesOf(kind), ...inner, ...figureNamesOf(kind)];
  return [...new Set([...own, ...(message === undefined ? [] : fieldNames(message))])];
}

function messageOf(kind: string): DescMessage | undefined {
  return descriptors().registry.getMessage(kindNamed(kind).type);
}

const derivedWords = (kind: string): readonly string[] => [
  ...["name", "id", "host", "kind", "text", "age", "label"],
  ...(kind === "instance" ? ["driver"] : []),
];

function ofMessage(field: Field, unit = unitOfName(field.text)): QueryField {
  return {
    text: field.text,
    value: field.value,
    isRepeated: field.isRepeated,
    source: "resource",
    tops: [field.top],
    read: (resource) => (field.isRepeated ? valuesOf(field, resource) : singleValue(field, resource)),
    ...(unit === undefined || field.value.type !== "number" ? {} : { unit }),
  };
}

function singleValue(field: Field, resource: unknown): unknown {
  let found: unknown;
  field.some(resource, (value) => {
    found = value;
    return true;
  });
  return found;
}

function valuesOf(field: Field, resource: unknown): unknown[] {
  const found: unknown[] = [];
  field.some(resource, (value) => {
    found.push(value);
    return false;
  });
  return found;
}

function nameField(where: string, type: string, path: Path): QueryField {
  return { ...ofMessage(findField(where, type, path)), equals: isNamed };
}

/** Words that are made of more than one field. */
function derived(kind: string, path: Path): QueryField | undefined {
  const [word = "", ...more] = path;
  const text: Omit<QueryField, "read"> = {
    ...{ text: word, value: { type: "text" }, isRepeated: false, source: "resource", tops: ["name"] },
  };
  if (word === "label" && kind !== "") {
    return ofMessage(findField("filter", kindNamed(kind).type, ["labels", ...more]));
  }
  if (more.length > 0) return undefined;
  switch (word) {
    case "id":
      return { ...text, read: (resource) => idOf(nameOf(resource)) };
    case "host":
      return { ...text, isRepeated: true, tops: ["name", "spec"], read: (resource) => hostsOf(kind, resource) };
    case "kind": {
      const choices = [...allKinds().flatMap(wordsOfKind), ...driverWords];
      const words = kind === "" ? [] : wordsOfKind(kindNamed(kind));
      const read = (resource: unknown): unknown => [...words, ...kindWordsOf(resource)];
      return { ...text, isRepeated: true, tops: ["name", "spec"], choices, read };
    }
    case "driver":
      return kind !== "instance"
        ? undefined
        : { ...text, tops: ["driver", "spec"], read: (resource) => kindWordsOf(resource)[0] ?? "" };
    case "text": {
      const state = stateReader(kind);
      const read = (resource: unknown): unknown => `${searchedText(resource)}\n${state(resource).toLowerCase()}`;
      return { ...text, tops: [], read };
    }
    case "age":
      return {
        ...text,
        ...{ value: { type: "number" }, unit: { dimension: "time", factor: 1 }, needsUnit: true, source: "clock" },
        tops: ["createTime", "time"],
        read: (resource, facts) => ageOf(resource, facts.nowMs()),
      };
    default:
      return undefined;
  }
}

/** Reads the word of a resource's state, "RUNNING"; "" of kinds without one. @param kind singular. */
export function stateReader(kind: string): (resource: unknown) => string {
  const message = kind === "" ? undefined : messageOf(kind);
  if (message === undefined) return () => "";
  const status = findMember(message, "status");
  const isInner = status?.fieldKind === "message" && findMember(status.message, "state") !== undefined;
  const path = isInner ? ["status", "state"] : ["state"];
  if (!isInner && findMember(message, "state") === undefined) return () => "";
  const field = findField("filter", message.typeName, path);
  if (field.value.type !== "enum") return () => "";
  const names = new Map(enumNames(field.value.values).map(({ name, number }) => [number, name]));
  return (resource) => {
    const value = singleValue(field, resource);
    return names.get(typeof value === "number" ? value : 0) ?? "";
  };
}

function wordsOfKind({ singular, plural, aliases }: Kind): string[] {
  return [singular, plural, ...aliases];
}

function short(where: string, type: string, kind: string, path: Path): QueryField | undefined {
  const word = path.join(".");
  const paths = shortPathsOf(kind, word);
  if (paths !== undefined) {
    const fields = paths.map((each) => ofMessage(findField(where, type, parsePath(where, each))));
    const [first] = fields;
    if (first === undefined) return undefined;
    if (fields.length === 1) return { ...first, text: word };
    const tops = [...new Set(fields.flatMap((each) => each.tops))];
    const read = (resource: unknown, facts: Facts): unknown =>
      fields.flatMap((each) => {
        const value = each.read(resource, facts);
        return value === undefined ? [] : value;
      });
    return { ...first, text: word, isRepeated: true, tops, read };
  }
  const measured = figureWordOf(kind, word);
  if (measured === undefined) return undefined;
  const { figure, unit } = measured;
  return {
    ...{ text: word, value: { type: "number" }, unit, isRepeated: true, source: "figures", figure, tops: ["name"] },
    // What is not measured is none of anything, not 0.
    read: (resource, facts) => {
      const value = facts.figure(nameOf(resource), figure);
      return value === undefined ? [] : [value];
    },
  };
}

/** "state" is what stands in status, "cpus" what stands in spec. */
function within(where: string, message: DescMessage, path: Path): QueryField | undefined {
  const [first = ""] = path;
  for (const name of ["spec", "status"]) {
    const member = findMember(message, name);
    if (member?.fieldKind !== "message" || findMember(member.message, first) === undefined) continue;
    return { ...ofMessage(findField(where, message.typeName, [name, ...path])), text: pathText(path) };
  }
  return undefined;
}

/** Fields of another kind: of the kind itself, or of links that end at a resource. */
function ofOther(where: string, kind: string, path: Path): QueryField | undefined {
  const [first = "", ...rest] = path;
  if (rest.length === 0) return undefined;
  if (first === kind) return { ...findQueryField(where, kindNamed(kind).type, rest), text: pathText(path) };
  if (first !== "link") return undefined;
  const field = findQueryField(where, kindNamed("link").type, rest);
  return {
    ...field,
    ...{ text: pathText(path), isRepeated: true, source: "links", tops: ["name", "spec"] },
    read: (resource, facts) => {
      const links = new Map(
        endNamesOf(kind, resource).flatMap((name) => [...facts.links(name)].map((link) => [link.name, link] as const)),
      );
      return [...links.values()].flatMap((link) => {
        const value = field.read(link, facts);
        return value === undefined ? [] : value;
      });
    },
  };
}

function unknown(where: string, type: string, kind: string, path: Path): never {
  const [first = ""] = path;
  const words = kind === "" ? [] : fieldWords(kind);
  const near = nearest(path.join("."), words) ?? nearest(first, words);
  try {
    findField(where, type, path);
  } catch (error) {
    const [violation] = error instanceof ZorError ? error.violations : [];
    if (violation === undefined || violation.description.includes("did you mean")) throw error;
    const isPlain = /^[A-Za-z0-9_-]{1,40}$/.test(first);
    const isLabel = isPlain && path.length === 1 && words.includes("labels");
    const label = isLabel ? `; a label is label.${first}` : "";
    const guess = near === undefined ? label : `; did you mean ${quote(near)}?`;
    throw invalidArgument(where, `${violation.description}${guess}`);
  }
  throw new Error(`${path.join(".")} is a field after all`);
}

function nameOf(resource: unknown): string {
  return String((resource as Partial<NamedMessage> | undefined)?.name ?? "");
}

function hostsOf(kind: string, resource: unknown): readonly string[] {
  const named = kind === "link" ? endNamesOf(kind, resource) : [nameOf(resource)];
  const hosts = named.map((name) => /^hosts\/([^/]+)/.exec(name)?.[1] ?? "").filter((host) => host !== "");
  return [...new Set(hosts)];
}

function ageOf(resource: unknown, nowMs: number): number | undefined {
  const { createTime, time } = (resource ?? {}) as { readonly createTime?: unknown; readonly time?: unknown };
  const madeMs = timeOf(createTime ?? time);
  return madeMs === undefined ? undefined : nowMs - madeMs;
}

import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { invalidArgument } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { commentOf } from "../../../lib/kinds/comments.js";
import { allKinds, findKind, findRule, ruledMethods } from "../../../lib/kinds/kinds.js";
import { findMember, unknownField } from "../../../lib/list/field.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { LanguageArgument, outputOption, type Registrar, withExamples } from "../command.js";
import { isStructured } from "../output/forms.js";
import type { OutputFormat, Session } from "../session.js";

interface Options {
  readonly recursive?: boolean;
  readonly output: OutputFormat;
}

/** `zor explain KIND[.FIELD...]`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("explain")
    .description(
      "Say what a kind of resource, or a field of it, is: its type, what it means, its values and its fields.",
    )
    .addArgument(
      new LanguageArgument(
        "[what]",
        "a kind, KIND.FIELD.FIELD, or the name of a message; default: the kinds there are",
        "fields",
      ),
    )
    .option("--recursive", "all fields below it")
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async (what: string | undefined, options: Options) => explain(open(command), what, options));
  withExamples(
    command,
    "zor explain instance",
    "zor explain instance.spec.nics",
    "zor explain lan.spec --recursive",
    "zor explain link.status.state -o json",
  );
}

/** What is said of a field. */
interface FieldFacts {
  readonly name: string;
  readonly type: string;
  readonly comment: string;
  /** "read only", "required", "one of driver". */
  readonly marks: readonly string[];
  readonly values?: readonly { readonly name: string; readonly comment: string }[];
  readonly fields?: readonly FieldFacts[];
}

async function explain(
  session: Session,
  what: string | undefined,
  { output, recursive = false }: Options,
): Promise<void> {
  if (what === undefined) {
    const kinds = allKinds().map(({ singular, type }) => ({ kind: singular, type, comment: commentOf(type) }));
    if (isStructured(output)) await session.printJson(output, { kinds });
    else for (const { kind, comment } of kinds) session.print(`${kind.padEnd(10)} ${comment}`);
    return;
  }
  const facts = factsOf(what, recursive);
  if (isStructured(output)) {
    await session.printJson(output, facts);
    return;
  }
  const width = session.io.terminal.output.isTTY === true ? (session.io.terminal.output.columns ?? 80) : 100;
  for (const line of textOf(facts, width)) session.print(line);
}

/** What is said of a kind, a field or a message. @throws {ZorError} INVALID_ARGUMENT with the nearest, when there is no such thing. */
export function factsOf(what: string, recursive = false): Facts {
  const { message, field, methods } = find(what);
  const depth = recursive ? Number.POSITIVE_INFINITY : 1;
  const more = methods.length === 0 ? {} : { methods };
  if (field !== undefined) return { ...fieldFacts(field, depth + 1), ...more };
  const type = message?.typeName ?? "";
  return { name: what, type, comment: commentOf(type), marks: [], fields: fieldsOf(message, depth), ...more };
}

/** What is said of a thing, and of a kind what can be done to it. */
interface Facts extends FieldFacts {
  readonly methods?: readonly string[];
}

/** What a person means: a message, or a field with what is below it. */
interface Found {
  readonly message: DescMessage | undefined;
  readonly field: DescField | undefined;
  readonly methods: readonly string[];
}

/** @throws {ZorError} INVALID_ARGUMENT with the nearest kind or field, when there is no such thing. */
function find(what: string): Found {
  const { registry } = descriptors();
  const whole = registry.getMessage(what) ?? registry.getMessage(`zor.v1.${what}`);
  if (whole !== undefined) return { message: whole, field: undefined, methods: [] };
  const [word = "", ...path] = what.split(".").map((each) => each.replace(/\[\d*\]$/, ""));
  const kind = findKind(word.toLowerCase());
  const start = registry.getMessage(kind?.type ?? `zor.v1.${word}`);
  if (start === undefined) {
    const words = allKinds().map(({ singular }) => singular);
    const near = nearest(word.toLowerCase(), words);
    const rest = near === undefined ? `; the kinds are ${words.join(", ")}` : `; did you mean ${near}?`;
    throw invalidArgument("what", `${quote(word)} is not a kind of resource${rest}`);
  }
  let message: DescMessage | undefined = start;
  let field: DescField | undefined;
  for (const [at, segment] of path.entries()) {
    // What stands behind a map is one of its keys.
    if (field?.fieldKind === "map" && field.message !== undefined && findMember(field.message, segment) === undefined)
      continue;
    if (message === undefined) {
      if (field?.fieldKind === "map") continue;
      throw invalidArgument("what", `${quote(path.slice(0, at).join("."))} of a ${word} has no fields`);
    }
    field = findMember(message, segment);
    if (field === undefined) throw unknownField({ where: "what", path, kind: word }, message, at);
    message = field.message;
  }
  return { message: start, field, methods: path.length === 0 && kind !== undefined ? methodsOf(kind.singular) : [] };
}

/** "create (operator)", "get (viewer)". */
function methodsOf(kind: string): readonly string[] {
  return ruledMethods().flatMap((path) => {
    const rule = findRule(path);
    if (rule?.kind !== kind) return [];
    const name = path.slice(path.lastIndexOf("/") + 1);
    return [`${name} (${rule.access})`];
  });
}

function fieldsOf(
  message: DescMessage | undefined,
  depth: number,
  above: readonly string[] = [],
): readonly FieldFacts[] {
  if (message === undefined || depth <= 0 || isValue(message) || above.includes(message.typeName)) return [];
  return message.fields.map((field) => fieldFacts(field, depth, [...above, message.typeName]));
}

function fieldFacts(field: DescField, depth: number, above: readonly string[] = []): FieldFacts {
  const comment = commentOf(`${field.parent.typeName}.${field.name}`);
  const inner = fieldsOf(field.message, depth - 1, above);
  return {
    name: field.name,
    type: typeOf(field),
    comment,
    marks: marksOf(field, comment),
    ...(field.enum === undefined ? {} : { values: valuesOf(field.enum) }),
    ...(inner.length === 0 ? {} : { fields: inner }),
  };
}

function marksOf(field: DescField, comment: string): readonly string[] {
  const usual =
    /\bdefault(?:s to|:| is)? ([^.;]+)/i.exec(comment)?.[1] ??
    /(?:^|[.;] )(?:0|Empty|Unset|Not set): ([^.;]+)/i.exec(comment)?.[1];
  return [
    ...(/read only/i.test(comment) ? ["read only"] : []),
    ...(/\brequired\b|must be (?:given|set|named)/i.test(comment) ? ["required"] : []),
    ...(/cannot be changed|immutable/i.test(comment) ? ["cannot be changed later"] : []),
    ...(field.oneof === undefined ? [] : [`one of ${field.oneof.name}`]),
    ...(usual === undefined ? [] : [`default: ${usual}`]),
  ];
}

function valuesOf({ values, typeName, sharedPrefix = "" }: DescEnum): { name: string; comment: string }[] {
  return values
    .filter(({ number, name }) => number !== 0 || !name.endsWith("_UNSPECIFIED"))
    .map(({ name }) => ({ name: name.slice(sharedPrefix.length), comment: commentOf(`${typeName}.${name}`) }));
}

function typeOf(field: DescField): string {
  const scalar = (type: ScalarType): string => ScalarType[type].toLowerCase();
  const element =
    field.message !== undefined
      ? (field.message.typeName.split(".").at(-1) ?? "")
      : field.enum !== undefined
        ? "enum"
        : scalar(field.scalar ?? ScalarType.STRING);
  if (field.fieldKind === "map") return `map of ${scalar(field.mapKey)} to ${element}`;
  return field.fieldKind === "list" ? `list of ${element}` : element;
}

/** Times, durations and the like are values. */
function isValue({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

function textOf({ methods = [], ...facts }: Facts, width: number): string[] {
  const marks = facts.marks.length === 0 ? "" : `  (${facts.marks.join("; ")})`;
  const lines = [`${facts.name}  <${facts.type}>${marks}`];
  if (facts.comment !== "") lines.push(...indented(facts.comment, 2, width));
  if (facts.values !== undefined) {
    lines.push("", "VALUES");
    for (const { name, comment } of facts.values) lines.push(`  ${name}`, ...indented(comment, 6, width));
  }
  if (facts.fields !== undefined && facts.fields.length > 0)
    lines.push("", "FIELDS", ...fieldLines(facts.fields, 2, width));
  if (methods.length > 0) lines.push("", "METHODS, and the least role", ...indented(methods.join(", "), 2, width));
  return lines;
}

function fieldLines(fields: readonly FieldFacts[], indent: number, width: number): string[] {
  return fields.flatMap(({ name, type, marks, comment, fields: inner = [], values = [] }) => [
    `${" ".repeat(indent)}${name}  <${type}>${marks.length === 0 ? "" : `  (${marks.join("; ")})`}`,
    ...indented(comment, indent + 4, width),
    ...(values.length === 0 ? [] : indented(values.map((each) => each.name).join(", "), indent + 4, width)),
    ...fieldLines(inner, indent + 2, width),
  ]);
}

function indented(text: string, indent: number, width: number): string[] {
  if (text === "") return [];
  return wrapText(text, Math.max(20, width - indent)).map((line) => `${" ".repeat(indent)}${line}`);
}

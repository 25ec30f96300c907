import type { JsonValue } from "@bufbuild/protobuf";
import { type Document, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { codecOf, type NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { type GivenHow, readGiven } from "./read-given.js";

const largestFileBytes = 1024 * 1024;

/**
 * Reads a resource from YAML or JSON in the form of the API's proto3 JSON (what `zor get instances NAME -o yaml` shows,
 * with or without the outer "instances" or "instance"). "-" is standard input.
 * @throws {ZorError} INVALID_ARGUMENT as "file:line:column: what is wrong".
 */
export async function resourceFromFile(kind: Kind, file: string, how: GivenHow): Promise<NamedMessage> {
  const place = file === "-" ? "standard input" : file;
  const source = await readGiven("--file", file, { mostBytes: largestFileBytes, ...how });
  return parseResource(kind, place, source);
}

/** {@link resourceFromFile} for text at hand. */
export function parseResource(kind: Kind, place: string, source: string): NamedMessage {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${place}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw invalidArgument(at(broken.pos[0]), broken.message);
  const whole: unknown = document.toJS({ maxAliasCount: 100 });
  if (typeof whole !== "object" || whole === null || Array.isArray(whole)) {
    throw invalidArgument(at(0), `expected a resource of the kind ${kind.singular}: a mapping with labels and spec`);
  }
  const resource = innermost(kind, whole, (description) => invalidArgument(at(0), description));
  try {
    // What YAML gives is JSON but for dates, which the type check below refuses.
    return codecOf(kind.singular).decode(jsonToBytes(kind.type, resource as JsonValue));
  } catch (error) {
    const message = messageOf(error);
    throw invalidArgument(at(offsetOf(document, message)), message.replace(`${kind.type}: `, ""));
  }
}

/** The resource of a list's response that holds one, or of a response with just a resource, or the whole. */
function innermost({ singular, plural }: Kind, whole: object, fail: (description: string) => Error): unknown {
  const list: unknown = Reflect.get(whole, plural);
  if (Array.isArray(list)) {
    if (list.length === 1) return list[0];
    throw fail(`expected one ${singular}, not a list of ${list.length}; get one with: zor get ${plural} NAME -o yaml`);
  }
  return singular in whole && Object.keys(whole).length === 1 ? Reflect.get(whole, singular) : whole;
}

/** Where the key that a type error names stands in the file; its beginning when it names none. */
export function offsetOf(document: Document.Parsed | ReturnType<typeof parseDocument>, message: string): number {
  const match = /key "([^"]+)"|field [\w.]*\.(\w+)/.exec(message);
  const key = match?.[1] ?? match?.[2];
  if (key === undefined) return 0;
  const camel = key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  let offset = 0;
  visit(document, {
    Pair: (_, pair) => {
      if (!isScalar(pair.key) || (pair.key.value !== key && pair.key.value !== camel)) return undefined;
      offset = pair.key.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

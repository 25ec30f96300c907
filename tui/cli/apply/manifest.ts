import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { type Document, isMap, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { allKinds, findKind, type Kind } from "../../../lib/kinds/kinds.js";
import { findMember } from "../../../lib/list/field.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { explained } from "../../../lib/tree/dir.js";
import type { MessageJson } from "../../kit/input/fields.js";
import { type GivenHow, readGiven } from "../input/read-given.js";
import { offsetOf } from "../input/resource-file.js";
import { kindOfFullName, parseNewName } from "../resolve.js";

/** A resource as a file describes it. */
export interface Manifest {
  readonly kind: Kind;
  /** Full name. */
  readonly name: string;
  /** What is said of it, in proto3 JSON with the API's names; what only the API says (status and the like) is left out. */
  readonly json: MessageJson;
  /** "lab.yaml:3:1", for errors. */
  readonly place: string;
}

const fileEndings = /\.(?:ya?ml|json)$/i;
/** What lists of the API have besides resources. */
const listFields = new Set(["nextPageToken", "totalSize", "unreachable", "next_page_token", "total_size"]);
/** What every resource has that only the API says. */
const ownFields = new Set(["uid", "etag", "createTime", "updateTime"]);

/**
 * Reads resources from files, directories and standard input ("-"): YAML or JSON, any number of documents, each a resource with its name
 * (and `kind`, unless the name is a full one), or what zor get -o yaml shows.
 * @throws {ZorError} INVALID_ARGUMENT as "file:line:column: what is wrong", or as {@link readGiven}.
 */
export async function readManifests(paths: readonly string[], how: GivenHow): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const path of paths) {
    for (const file of path === "-" ? ["-"] : await filesBelow(path)) {
      const place = file === "-" ? "standard input" : file;
      const source = await readGiven("--file", file, how);
      manifests.push(...parseManifests(place, source));
    }
  }
  const seen = new Map<string, Manifest>();
  for (const each of manifests) {
    const other = seen.get(each.name);
    if (other !== undefined) throw invalidArgument(each.place, `${each.name} is described at ${other.place} as well`);
    seen.set(each.name, each);
  }
  return manifests;
}

/** The files of a directory by their names, those of directories in it as well; a file is itself. */
async function filesBelow(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw invalidArgument("--file", messageOf(explained(error, path === "" ? '""' : path)));
  });
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && fileEndings.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw invalidArgument("--file", `there are no .yaml, .yml or .json files in ${path}`);
  return files;
}

/** The resources of a text. @throws {ZorError} INVALID_ARGUMENT */
export function parseManifests(place: string, source: string): Manifest[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${place}:${line}:${col}`;
  };
  // Of nothing at all there are no documents.
  const all: readonly Document.Parsed[] = Array.isArray(documents) ? documents : [];
  return all.flatMap((document) => {
    const [broken] = document.errors;
    if (broken !== undefined) throw invalidArgument(at(broken.pos[0]), broken.message);
    const { contents } = document;
    if (contents === null) return [];
    const whole: unknown = document.toJS({ maxAliasCount: 100 });
    if (whole === null) return [];
    return itemsOf(contents, whole, (offset, why) => invalidArgument(at(offset), why)).map((item) =>
      toManifest(item, document, at),
    );
  });
}

/** A resource in a document. */
interface Item {
  readonly kind: Kind | undefined;
  readonly value: object;
  readonly offset: number;
}

type Fail = (offset: number, why: string) => Error;

/** The resources of a document: one, a list of them, or the response of a list. */
function itemsOf(node: Node, whole: unknown, fail: Fail): readonly Item[] {
  const offset = node.range?.[0] ?? 0;
  if (isSeq(node) && Array.isArray(whole)) {
    return whole.flatMap((each: unknown, index) => {
      const item = node.items[index] as Node | undefined;
      return item === undefined ? [] : itemsOf(item, each, fail);
    });
  }
  if (!isMap(node) || typeof whole !== "object" || whole === null)
    throw fail(offset, "expected a resource: a mapping with name, labels and spec");
  if ("name" in whole) return [{ kind: undefined, value: whole, offset }];
  const kinds = allKinds();
  return Object.entries(whole).flatMap(([key, value]: [string, unknown]) => {
    if (listFields.has(key)) return [];
    const kind = kinds.find(({ singular, plural }) => key === plural || key === singular);
    const inner = node.get(key, true) as Node | undefined;
    if (kind === undefined || inner === undefined || typeof value !== "object" || value === null) {
      throw fail(
        offset,
        `expected a resource with a name, or lists of resources such as lans; ${quote(key)} is neither`,
      );
    }
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.map((each, index) => {
      const place = isSeq(inner) ? (inner.items[index] as Node | undefined) : inner;
      const begin = place?.range?.[0] ?? offset;
      if (typeof each !== "object" || each === null)
        throw fail(begin, `expected a resource of the kind ${kind.singular}`);
      return { kind, value: each, offset: begin };
    });
  });
}

function toManifest(item: Item, document: Document.Parsed, at: (offset: number) => string): Manifest {
  const place = at(item.offset);
  const { kind: word, ...rest } = item.value as { readonly kind?: unknown; readonly name?: unknown };
  const name = typeof rest.name === "string" ? rest.name : "";
  if (name === "") throw invalidArgument(place, "it has no name");
  const kind = kindOf(item, word, name, place);
  const full = parseNewName(name, kind).name;
  // What YAML gives is JSON but for dates, which the type check refuses.
  const said = rest as { readonly [field: string]: JsonValue };
  const json = Object.fromEntries(
    Object.entries(normalized(kind, said)).filter(([field]) => !ownFields.has(field) && field !== "status"),
  );
  json["name"] = full;
  try {
    jsonToBytes(kind.type, json);
  } catch (error) {
    const message = messageOf(error);
    throw invalidArgument(
      at(Math.max(item.offset, offsetOf(document, message))),
      `${message.replace(`${kind.type}: `, "")}${guess(message)}`,
    );
  }
  return { kind, name: full, json, place };
}

function kindOf({ kind: told }: Item, word: unknown, name: string, place: string): Kind {
  const named = kindOfFullName(name);
  const said = told ?? (typeof word === "string" ? findKind(word.toLowerCase()) : undefined);
  if (typeof word === "string" && said === undefined) {
    const words = allKinds().map(({ singular }) => singular);
    const near = nearest(word.toLowerCase(), words);
    throw invalidArgument(
      place,
      `${quote(word)} is not a kind of resource${near === undefined ? `; there are ${words.join(", ")}` : `; did you mean ${near}?`}`,
    );
  }
  const kind = said ?? named;
  if (kind === undefined)
    throw invalidArgument(
      place,
      `say of what kind ${quote(name)} is: "kind: lan", or the full name hosts/HOST/lans/NAME`,
    );
  if (named !== undefined && named !== kind)
    throw invalidArgument(place, `${name} is not the name of a ${kind.singular}`);
  return kind;
}

/** The top level with the API's names, whichever of their forms was written. */
function normalized({ type }: Kind, json: { readonly [field: string]: JsonValue }): MessageJson {
  const message = descriptors().registry.getMessage(type);
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [(message && findMember(message, key)?.jsonName) ?? key, value]),
  );
}

/** The nearest field to one that a type does not have. */
function guess(message: string): string {
  const [, type = "", key = ""] = /message (\S+) from JSON: key "([^"]+)" is unknown/.exec(message) ?? [];
  const fields =
    descriptors()
      .registry.getMessage(type)
      ?.fields.map(({ name }) => name) ?? [];
  const near = nearest(key, fields);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

import { readFile } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { isNode, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { messageOf, ZorError } from "./errors.js";

/** Where settings come from; later ones in this list lose: flags, env, file, defaults of the schema. */
export interface ConfigSources {
  /** Path of a YAML file; undefined: none. */
  readonly file?: string | undefined;
  /** Settings by top-level key, undefined where the flag was not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Settings by top-level key from the environment. */
  readonly env?: Readonly<Record<string, unknown>>;
}

/**
 * Reads and checks a program's settings. Unknown keys are refused: the schema must be strict.
 * @throws {ZorError} INVALID_ARGUMENT with every fault as "file:line:column key: what is wrong".
 */
export async function loadConfig<Schema extends z.ZodType>(
  schema: Schema,
  sources: ConfigSources,
): Promise<z.output<Schema>> {
  const file = sources.file === undefined ? undefined : await readYaml(sources.file);
  const merged = { ...file?.values, ...defined(sources.env), ...defined(sources.flags) };
  const result = schema.safeParse(merged);
  if (result.success) return result.data;
  const flagged = new Set(Object.keys({ ...defined(sources.env), ...defined(sources.flags) }));
  const faults = result.error.issues.flatMap((issue) => {
    // An unknown key is reported at its parent; point at the key itself.
    const paths = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const message = issue.code === "unrecognized_keys" ? "unknown setting" : messageOfIssue(issue);
    return paths.map((path) => `${placeOf(path, file, flagged)}${path.join(".")}: ${message}`);
  });
  throw configError(faults.join("\n"));
}

/** Reads the settings of a YAML file as they stand there, unchecked, by top-level key. @throws {ZorError} INVALID_ARGUMENT. */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  return (await readYaml(path)).values;
}

interface YamlFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** "line:column" of the closest node to a path. */
  readonly locate: (path: readonly PropertyKey[]) => string;
}

async function readYaml(path: string): Promise<YamlFile> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw configError(`${path}: cannot be read: ${messageOf(error)}`);
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw configError(document.errors.map((error) => `${path}:${place(error.pos[0])}: ${error.message}`).join("\n"));
  }
  // Limits aliases, so that a small file cannot grow without bound.
  const values: unknown = document.toJS({ maxAliasCount: 100 });
  if (values !== null && (typeof values !== "object" || Array.isArray(values))) {
    throw configError(`${path}:1:1: expected settings as "key: value" lines`);
  }
  const locate = (wanted: readonly PropertyKey[]): string => {
    for (let length = wanted.length; length > 0; length -= 1) {
      const node = document.getIn(wanted.slice(0, length), true);
      if (isNode(node)) return place((node as Node).range?.[0] ?? 0);
    }
    return "1:1";
  };
  return { path, values: { ...values }, locate };
}

/** A key that is not what keys must be is told by what is wrong with it. */
function messageOfIssue(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

function placeOf(path: readonly PropertyKey[], file: YamlFile | undefined, flagged: ReadonlySet<string>): string {
  const [key] = path;
  if (file === undefined || (key !== undefined && flagged.has(String(key)))) return "";
  return `${file.path}:${file.locate(path)} `;
}

function defined(values: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined));
}

function configError(message: string): ZorError {
  return new ZorError({ reason: "BAD_CONFIG", code: status.INVALID_ARGUMENT, message });
}

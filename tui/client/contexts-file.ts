import { isScalar, LineCounter, type Node, parseDocument, stringify, YAMLMap, YAMLSeq } from "yaml";
import { invalidArgument, type ZorError } from "../../lib/errors.js";
import { isId, quote } from "../../lib/names.js";

/** One entry of contexts.yaml. */
export interface ContextEntry {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly serverName: string;
  /** Identity directory, absolute or relative to the file. */
  readonly identity: string;
  /** "[user@]host[:port]" of the ssh server that the addresses are seen from; undefined: from here. */
  readonly ssh?: string;
}

/** Content of contexts.yaml. */
export interface ContextsFile {
  readonly current: string | undefined;
  readonly contexts: readonly ContextEntry[];
}

const entryKeys = new Set(["name", "addresses", "serverName", "identity", "ssh"]);

/** Parses contexts.yaml. @throws {ZorError} INVALID_ARGUMENT as "file:line:column: what is wrong". */
export function parseContexts(path: string, text: string): ContextsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const fail = (offset: number, description: string): ZorError => {
    const { line, col } = lines.linePos(offset);
    return invalidArgument(`${path}:${line}:${col}`, description);
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw fail(broken.pos[0], broken.message.split("\n")[0] ?? broken.message);
  const root = document.contents;
  if (root === null) return { current: undefined, contexts: [] };
  const at = (node: unknown): number => (node as Node | null | undefined)?.range?.[0] ?? 0;
  if (!(root instanceof YAMLMap)) throw fail(at(root), 'expected a mapping with "current" and "contexts"');
  for (const { key } of root.items) {
    const name = keyName(key);
    if (name !== "current" && name !== "contexts") throw fail(at(key), `unknown key ${quote(name)}`);
  }
  const current: unknown = root.get("current") ?? undefined;
  if (current !== undefined && typeof current !== "string")
    throw fail(at(root.get("current", true)), '"current" must be a name');
  const list = root.get("contexts", true) ?? new YAMLSeq();
  if (!(list instanceof YAMLSeq)) throw fail(at(list), '"contexts" must be a list');
  return { current, contexts: list.items.map((item) => parseEntry(item, (node, text) => fail(at(node), text))) };
}

function parseEntry(item: unknown, fail: (node: unknown, description: string) => ZorError): ContextEntry {
  if (!(item instanceof YAMLMap)) throw fail(item, "expected a context with name, addresses, serverName and identity");
  for (const { key } of item.items) {
    if (!entryKeys.has(keyName(key))) throw fail(key, `unknown key ${quote(keyName(key))}`);
  }
  const text = (key: string): string => {
    const value: unknown = item.get(key);
    if (typeof value === "string" && value !== "") return value;
    throw fail(item.get(key, true) ?? item, `"${key}" must be a text`);
  };
  const addresses = item.get("addresses", true);
  const values: unknown = addresses instanceof YAMLSeq ? addresses.toJSON() : undefined;
  if (!Array.isArray(values) || values.length === 0 || !values.every((value) => typeof value === "string")) {
    throw fail(addresses ?? item, '"addresses" must be a list of "ip:port"');
  }
  const name = text("name");
  if (!isId(name)) throw fail(item.get("name", true), `${quote(name)} is not a valid name`);
  const ssh = item.has("ssh") ? { ssh: text("ssh") } : {};
  return { name, addresses: values, serverName: text("serverName"), identity: text("identity"), ...ssh };
}

function keyName(key: unknown): string {
  return isScalar(key) ? String(key.value) : "";
}

/** Content of contexts.yaml as text. */
export function formatContexts(file: ContextsFile): string {
  const head = "# Hubs and agents this user talks to; written by zor join and zor context.\n";
  return (
    head + stringify({ ...(file.current === undefined ? {} : { current: file.current }), contexts: file.contexts })
  );
}

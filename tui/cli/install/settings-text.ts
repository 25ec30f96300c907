import { isDeepStrictEqual } from "node:util";
import { Document, isCollection, isMap, isNode, isScalar, parse, parseDocument } from "yaml";
import { invalidArgument, messageOf } from "../../../lib/errors.js";

/** What is done to a file of settings. */
export interface SettingsEdit {
  /** The whole of it; undefined: what is there. */
  readonly text: string | undefined;
  readonly set: readonly { readonly path: readonly string[]; readonly value: unknown }[];
  readonly unset: readonly (readonly string[])[];
}

/** Reads "key=value": keys of objects are joined by dots, and the value is YAML, such as ["10.0.0.5:7443"]. @throws {ZorError} INVALID_ARGUMENT. */
export function parseSetting(text: string): SettingsEdit["set"][number] {
  const at = text.indexOf("=");
  if (at < 1) throw invalidArgument("--set", `${text} is not KEY=VALUE`);
  const path = parseKey("--set", text.slice(0, at));
  const value = text.slice(at + 1);
  if (value.trim() === "") throw invalidArgument("--set", `${text} has no value; take a setting away with --unset`);
  try {
    return { path, value: parse(value, { maxAliasCount: 0 }) as unknown };
  } catch (error) {
    throw invalidArgument("--set", `the value of ${path.join(".")} is no YAML: ${firstLine(messageOf(error))}`);
  }
}

function firstLine(text: string): string {
  return text.replace(/\n.*/s, "");
}

/** Reads a key whose parts are joined by dots. @throws {ZorError} INVALID_ARGUMENT. */
export function parseKey(option: string, text: string): readonly string[] {
  const path = text.split(".");
  if (path.every((part) => /^[A-Za-z][A-Za-z0-9]*$/.test(part))) return path;
  throw invalidArgument(option, `${text} is not the name of a setting, such as listen or ssh.via`);
}

/**
 * The text of a file of settings with the changes; comments and order of what is not changed stay. @throws {ZorError} INVALID_ARGUMENT when
 * it cannot be read as settings, or a key is to be put into what is no object.
 */
export function editSettings(before: string, { text = before, set, unset }: SettingsEdit): string {
  if (set.length === 0 && unset.length === 0) return text;
  const parsed = parseDocument(text);
  const [fault] = parsed.errors;
  if (fault !== undefined)
    throw invalidArgument("settings", `they cannot be read: ${firstLine(fault.message)}; mend them with --edit`);
  const document: Document = parsed.contents === null ? new Document({}) : parsed;
  if (!isMap(document.contents))
    throw invalidArgument("settings", 'they are not "key: value" lines; mend them with --edit');
  for (const path of unset) document.deleteIn(path);
  for (const { path, value } of set) {
    try {
      const node = document.createNode(value, { flow: true });
      const old = document.getIn(path, true);
      // What is said beside it is said of the setting, not of its value.
      if (isNode(old) && typeof old.comment === "string") node.comment = old.comment;
      document.setIn(path, node);
    } catch {
      throw invalidArgument(
        "--set",
        `${path.join(".")} is inside of what is no object; set ${path.slice(0, 1).join("")} as a whole`,
      );
    }
  }
  const keys = new Set([...unset, ...set.map(({ path }) => path)].map(([key = ""]) => key));
  return withOwnBytes(text, document, keys) ?? document.toString(style);
}

const style = { lineWidth: 0, flowCollectionPadding: false } as const;

/**
 * The text of a changed document in which settings other than `keys` are as they were, to the byte, however somebody has written them; undefined
 * where it cannot be put together so.
 */
function withOwnBytes(text: string, changed: Document, keys: ReadonlySet<string>): string | undefined {
  const { contents } = parseDocument(text);
  if (!isMap(contents) || contents.flow === true) return undefined;
  const had = new Set<string>();
  let [result, at] = ["", 0];
  for (const { key, value } of contents.items) {
    if (!isScalar(key) || key.range == null) return undefined;
    const name = String(key.value);
    had.add(name);
    if (!keys.has(name)) continue;
    result += text.slice(at, key.range[0]);
    const [, valueEnd, nodeEnd] = (isNode(value) ? value.range : undefined) ?? key.range;
    // Beside a value stands what is said of it; what is said in a block is the block's.
    const isBlock = isCollection(value) && value.flow !== true;
    at = key.range[0] + text.slice(key.range[0], isBlock ? nodeEnd : valueEnd).trimEnd().length;
    if (changed.hasIn([name])) result += settingText(changed, name, isBlock);
    else at = endOfLine(text, at);
  }
  result += text.slice(at);
  const fresh = [...keys].filter((name) => !had.has(name) && changed.hasIn([name]));
  if (fresh.length > 0 && !/(^|\n)$/.test(result)) result += "\n";
  result += fresh.map((name) => `${settingText(changed, name, true)}\n`).join("");
  return isDeepStrictEqual(parse(result) ?? {}, changed.toJS()) ? result : undefined;
}

/** One setting of a document. */
function settingText(document: Document, name: string, withComment: boolean): string {
  const found = document.getIn([name], true);
  if (!isNode(found)) return new Document({ [name]: found }).toString(style).trimEnd();
  const value = found.clone();
  if (!withComment) value.comment = null;
  return new Document({ [name]: value }).toString(style).trimEnd();
}

/** The beginning of the next line. */
function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

/** Lines that differ, with "-" and "+" before them and a line of what is around. */
export function differingLines(before: string, after: string): readonly string[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  // Lengths of the longest common rest, from each place on: files of settings are short.
  const rest = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1)
    for (let j = now.length - 1; j >= 0; j -= 1)
      set(
        rest,
        i,
        j,
        old[i] === now[j] ? get(rest, i + 1, j + 1) + 1 : Math.max(get(rest, i + 1, j), get(rest, i, j + 1)),
      );
  const lines: string[] = [];
  for (let [i, j] = [0, 0]; i < old.length || j < now.length; ) {
    const [gone = "", come = ""] = [old[i], now[j]];
    if (i < old.length && j < now.length && gone === come) {
      lines.push(`  ${gone}`);
      i += 1;
      j += 1;
    } else if (i < old.length && (j === now.length || get(rest, i + 1, j) >= get(rest, i, j + 1))) {
      lines.push(`- ${gone}`);
      i += 1;
    } else {
      lines.push(`+ ${come}`);
      j += 1;
    }
  }
  const isNear = (at: number): boolean => [at - 1, at, at + 1].some((each) => /^[-+]/.test(lines[each] ?? ""));
  return lines.filter((_, at) => isNear(at));
}

function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

type Table = readonly Uint32Array[];
const get = (table: Table, i: number, j: number): number => table[i]?.[j] ?? 0;
const set = (table: Table, i: number, j: number, value: number): void => {
  const row = table[i];
  if (row !== undefined) row[j] = value;
};

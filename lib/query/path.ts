import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import type { Path } from "./tree.js";

const segmentPattern = /"(?:[^"\\]|\\.)*"|[^."]+/y;
const plainSegment = /^[^\s"()=<>:!~.,]+$/;

/** Segments of a path as people write it; those in quotes may hold anything. @throws {ZorError} INVALID_ARGUMENT naming `where`. */
export function parsePath(where: string, text: string): Path {
  const path: string[] = [];
  for (let at = 0; ; at += 1) {
    segmentPattern.lastIndex = at;
    const segment = segmentPattern.exec(text)?.[0];
    if (segment === undefined) {
      if (text[at] === '"') throw strayQuote(where, text);
      throw invalidArgument(where, `${quote(text)} is not a path of fields such as status.state`);
    }
    path.push(segment.startsWith('"') ? unquote(where, segment) : segment);
    at += segment.length;
    if (at >= text.length) return path;
    if (text[at] !== ".") throw strayQuote(where, text);
  }
}

function strayQuote(where: string, text: string): Error {
  return invalidArgument(
    where,
    `${quote(text)} has a quote in the wrong place: quotes stand around a whole part, as in label."a b"`,
  );
}

/** A path as {@link parsePath} reads it. */
export function pathText(path: Path): string {
  return path.map((segment) => (plainSegment.test(segment) ? segment : JSON.stringify(segment))).join(".");
}

/** What stands between quotes, single or double ones. @throws {ZorError} INVALID_ARGUMENT naming `where`. */
export function unquote(where: string, text: string): string {
  try {
    return JSON.parse(text.startsWith("'") ? doubled(text) : text) as string;
  } catch {
    const advice = 'a backslash begins an escape such as \\" or \\\\';
    throw invalidArgument(where, `the quoted text ${quote(text)} is not valid: ${advice}`);
  }
}

/** The same text in double quotes. */
function doubled(text: string): string {
  const inner = text.slice(1, -1).replace(/\\.|"/gs, (part) => (part === '"' ? '\\"' : part === "\\'" ? "'" : part));
  return `"${inner}"`;
}

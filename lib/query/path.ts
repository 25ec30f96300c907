import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import type { Path } from "./tree.js";

const segmentPattern = /"(?:[^"\\]|\\.)*"|[^."]+|\.(?=\.|$)/g;
const plainSegment = /^[^\s"()=<>:!~.,]+$/;

/** Segments of a path as people write it; those in quotes may hold anything. @throws {ZorError} INVALID_ARGUMENT naming `where`. */
export function parsePath(where: string, text: string): Path {
  const segments: readonly string[] = text.match(segmentPattern) ?? [];
  const plain = segments.map((segment) => (segment.startsWith('"') ? unquote(where, segment) : segment));
  if (plain.length === 0 || text.startsWith(".") || segments.includes(".")) {
    throw invalidArgument(where, `${quote(text)} is not a path of fields such as status.state`);
  }
  return plain;
}

/** A path as {@link parsePath} reads it. */
export function pathText(path: Path): string {
  return path.map((segment) => (plainSegment.test(segment) ? segment : JSON.stringify(segment))).join(".");
}

/** What stands between quotes. @throws {ZorError} INVALID_ARGUMENT naming `where`. */
export function unquote(where: string, text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    const advice = 'a backslash begins an escape such as \\" or \\\\';
    throw invalidArgument(where, `the quoted text ${quote(text)} is not valid: ${advice}`);
  }
}

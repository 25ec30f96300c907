import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { parseDurationMs } from "./durations.js";

/** A moment in the past: "10m" ago, or a time. @throws {ZorError} INVALID_ARGUMENT that names the field. */
export function parsePast(field: string, text: string, nowMs: number = Date.now()): Date {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return new Date(nowMs - parseDurationMs(field, text));
  const date = new Date(text);
  if (Number.isNaN(date.getTime()))
    throw invalidArgument(field, `${quote(text)} is no time such as 2026-01-31T10:00:00Z`);
  return date;
}

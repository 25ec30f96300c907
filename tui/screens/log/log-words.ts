import { invalidArgument } from "../../../lib/errors.js";
import { formatAge } from "../../kit/format.js";

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads "90s", "10m", "2h" or "3d", in milliseconds. @throws {ZorError} for anything else. */
export function parseAgo(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text.trim()) ?? [];
  const ms = Number(number) * (unitsMs[unit] ?? 0);
  if (ms > 0) return ms;
  throw invalidArgument("", `"${text}" is no time ago; it looks like 90s, 10m, 2h or 3d`);
}

/** "10m00s ago" */
export function agoText(ms: number): string {
  return `${formatAge(ms)} ago`;
}

/** A name of a file that says what is in it, and when it was saved. */
export function savedName(names: readonly string[], nowMs: number): string {
  const what = names
    .slice(0, 3)
    .join("+")
    .replace(/[^a-zA-Z0-9+.-]+/g, "-");
  const when = new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  return `${what}-${when}.log`;
}

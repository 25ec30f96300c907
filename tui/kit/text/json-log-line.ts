import type { LogLine } from "./log-lines.js";

/** Words for the levels of agents, hubs and this program. */
const levelWords: ReadonlyMap<unknown, string> = new Map([
  [10, "TRACE"],
  [20, "DEBUG"],
  [30, "INFO "],
  [40, "WARN "],
  [50, "ERROR"],
  [60, "FATAL"],
]);
/** Said by every line alike, or said first. */
const saidBefore: ReadonlySet<string> = new Set(["level", "time", "pid", "hostname", "name", "msg"]);

/** A line of the log of a program of Zorhub for people: its level, what it says, and what else it holds; others stay as they are. */
export function readableLogLine({ text, time }: LogLine): LogLine {
  const fields = fieldsOf(text);
  if (fields === undefined) return { text, time };
  const level = levelWords.get(fields["level"]) ?? `${textOf(fields["level"])}`;
  const rest = Object.entries(fields)
    .filter(([key]) => !saidBefore.has(key))
    .map(([key, value]) => `${key}=${textOf(value)}`);
  const said = [level, textOf(fields["msg"]), ...rest].filter((part) => part !== "").join(" ");
  const written = typeof fields["time"] === "number" ? new Date(fields["time"]) : undefined;
  const isTime = written !== undefined && !Number.isNaN(written.getTime());
  return { text: said, time: isTime ? written : time };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith('{"level":')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    // Any object can be read by key.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Cut, or something else that begins like this: it is shown as it is.
    return undefined;
  }
}

function textOf(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

import type { Schedule } from "../../proto/gen/zor/v1/schedule.js";

/** When a schedule takes something. */
export type Timing = Pick<Schedule, "everySeconds" | "at" | "weekdays" | "timeZone">;

/** Days of the week as they are written, in the order in which `Date` counts them. */
export const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const dayMs = 86_400_000;

/** Whether it is a time zone that is known here: "Europe/Berlin". */
export function isTimeZone(name: string): boolean {
  if (name.length > 64 || !/^[A-Za-z][\w+/-]*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The first time after `afterMs` at which a schedule takes something; pure. @param sinceMs when the schedule was set. */
export function nextDue(timing: Timing, sinceMs: number, afterMs: number): number {
  const everyMs = Number(timing.everySeconds) * 1000;
  if (everyMs > 0) return sinceMs + (Math.max(0, Math.floor((afterMs - sinceMs) / everyMs)) + 1) * everyMs;
  const zone = new Zone(timing.timeZone || "UTC");
  const [hour = 0, minute = 0] = timing.at.split(":").map(Number);
  const today = startOfDay(zone.wallMs(afterMs));
  // A day more than a week: today's may be over, and a change of clocks moves days.
  for (let day = today - dayMs; day <= today + 8 * dayMs; day += dayMs) {
    if (!isWanted(timing.weekdays, day)) continue;
    const time = zone.instantOf(day + (hour * 60 + minute) * 60_000);
    if (time > afterMs) return time;
  }
  throw new Error(`no day of ${timing.weekdays.join()} was found`);
}

function isWanted(wanted: readonly string[], dayStartMs: number): boolean {
  return wanted.length === 0 || wanted.includes(weekdays[new Date(dayStartMs).getUTCDay()] ?? "");
}

function startOfDay(wallMs: number): number {
  return Math.floor(wallMs / dayMs) * dayMs;
}

/** The clocks of a time zone. What they show is written as if it were UTC. */
class Zone {
  readonly #format: Intl.DateTimeFormat;

  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat("en-GB", {
      ...{ timeZone: name, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    });
  }

  /** What clocks show at an instant. */
  wallMs(instantMs: number): number {
    const parts = new Map(this.#format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  }

  /** The first instant at which clocks show a time; of a time that they skip, the one that is as much later. */
  instantOf(wallMs: number): number {
    const offsets = [wallMs - dayMs, wallMs + dayMs].map((near) => this.wallMs(near) - Math.floor(near / 1000) * 1000);
    const candidates = offsets.map((offset) => wallMs - offset).toSorted((one, other) => one - other);
    // Skipped: with the offset from before, clocks have moved on by as much as was skipped.
    return candidates.find((instant) => this.wallMs(instant) === wallMs) ?? wallMs - (offsets[0] ?? 0);
  }
}

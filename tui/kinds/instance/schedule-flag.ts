import { parseDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { Schedule, ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";
import { type Flag, type FlagValues, flagTexts } from "../../kit/kind-commands.js";

/** What is kept of an instance by itself. */
export const scheduleFlag: Flag = {
  flags: "--schedule <fields>",
  help: "what=snapshot|backup and every=24h or at=03:30,days=mon+fri,zone=Europe/Berlin; then, optionally: keep=N, keep-days=N, name=NAME, ram, incremental, full-every=N, to=DIRECTORY, suspended; may be repeated; none: no schedules",
  repeatable: true,
};

const keys = [
  ...["name", "what", "every", "at", "days", "zone", "keep", "keep-days"],
  ...["ram", "incremental", "full-every", "to", "suspended"],
];
const actions: Readonly<Record<string, ScheduleAction>> = {
  snapshot: ScheduleAction.SCHEDULE_ACTION_SNAPSHOT,
  backup: ScheduleAction.SCHEDULE_ACTION_BACKUP,
};
const dayMs = 86_400_000;

/** All schedules that the flag says; undefined: it was not given. */
export function readSchedules(values: FlagValues): Schedule[] | undefined {
  const texts = flagTexts(values, "schedule");
  if (texts.length === 0) return undefined;
  if (texts.includes("none")) {
    if (texts.length === 1) return [];
    throw invalidArgument("--schedule", "none does not go with others");
  }
  return texts.map(parseSchedule);
}

/** Parses "every=24h,keep=7,what=snapshot". @throws {ZorError} */
export function parseSchedule(text: string): Schedule {
  const fields = parseFields("--schedule", text, keys);
  const one = (key: string): string => singleField("--schedule", fields, key) ?? "";
  const whole = (key: string, least: number, most: number): number =>
    one(key) === "" ? 0 : parseWhole(`--schedule ${key}`, one(key), least, most);
  const what = one("what") || "snapshot";
  const action = Object.hasOwn(actions, what) ? actions[what] : undefined;
  if (action === undefined) throw invalidArgument("--schedule", `what=${quote(what)} is neither snapshot nor backup`);
  if ((one("every") === "") === (one("at") === "")) {
    throw invalidArgument("--schedule", `${quote(text)} needs one of every and at, such as every=24h or at=03:30`);
  }
  return Schedule.fromPartial({
    action,
    name: one("name") || what,
    everySeconds: one("every") === "" ? 0n : parseEvery(one("every")),
    at: one("at"),
    weekdays: one("days") === "" ? [] : one("days").toLowerCase().split("+"),
    timeZone: one("zone"),
    keep: whole("keep", 1, 1000),
    keepDays: whole("keep-days", 1, 3650),
    memory: isSet("ram", one("ram")),
    incremental: isSet("incremental", one("incremental")),
    fullEvery: whole("full-every", 2, 1000),
    target: one("to"),
    suspended: isSet("suspended", one("suspended")),
  });
}

function parseEvery(text: string): bigint {
  const days = /^(\d{1,3})d$/.exec(text)?.[1];
  const milliseconds = days === undefined ? parseDuration(text) : Number(days) * dayMs;
  if (milliseconds !== undefined && milliseconds >= 60_000 && milliseconds <= 366 * dayMs) {
    return BigInt(Math.round(milliseconds / 1000));
  }
  throw invalidArgument("--schedule", `every=${quote(text)} is not a time such as 30m, 24h or 7d, from 1m to 366d`);
}

function isSet(key: string, text: string): boolean {
  if (text === "" || text === "false") return false;
  if (text === "true") return true;
  throw invalidArgument("--schedule", `${key}=${quote(text)} is neither true nor false`);
}

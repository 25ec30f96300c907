import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { type Schedule, ScheduleAction, type ScheduleStatus } from "../../../proto/gen/zor/v1/schedule.js";
import { type DescribeLine, field, heading } from "../../kit/describe/line.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import { shortName } from "../../kit/resource-name.js";
import { ageText } from "../../kit/table/columns.js";

/** What is kept of an instance by itself; nothing where there is nothing. */
export function scheduleLines({ spec, status }: Instance, context: CellContext): readonly DescribeLine[] {
  const schedules = spec?.schedules ?? [];
  if (schedules.length === 0) return [];
  return [
    heading("Schedules"),
    ...schedules.flatMap((schedule) => {
      const now = status?.schedules.find(({ name }) => name === schedule.name);
      return [
        field(schedule.name, scheduleText(schedule)),
        field("", standing(schedule, now, context)),
        field("", { text: now?.lastError ? `failed: ${now.lastError}` : "", tone: "bad" }),
      ];
    }),
  ];
}

/** A schedule for people: "snapshot every 24 h, keeps 7". */
export function scheduleText(schedule: Schedule): string {
  const { action, memory, incremental, keep, keepDays, target } = schedule;
  const isBackup = action === ScheduleAction.SCHEDULE_ACTION_BACKUP;
  const what = isBackup
    ? incremental
      ? "incremental backup"
      : "backup"
    : memory
      ? "snapshot with memory"
      : "snapshot";
  const most = keep > 0 || keepDays === 0 ? [`${keep || 7}`] : [];
  const days = keepDays > 0 ? [`${keepDays} days`] : [];
  return `${what} ${whenText(schedule)}, keeps ${[...most, ...days].join(" and ")}${target === "" ? "" : `, in ${target}`}`;
}

function whenText({ everySeconds, at, weekdays, timeZone }: Schedule): string {
  if (everySeconds > 0n) return `every ${everyText(Number(everySeconds))}`;
  return `at ${at} ${timeZone || "UTC"}${weekdays.length === 0 ? "" : ` on ${weekdays.join(", ")}`}`;
}

const units = [
  { seconds: 86_400, unit: "d" },
  { seconds: 3600, unit: "h" },
  { seconds: 60, unit: "m" },
] as const;

/** Twenty-four hours are said so, as people say it; two days are days. */
function everyText(seconds: number): string {
  const fits = units.find((each) => seconds > each.seconds && seconds % each.seconds === 0);
  return fits === undefined ? `${seconds} s` : `${seconds / fits.seconds} ${fits.unit}`;
}

function standing(schedule: Schedule, now: ScheduleStatus | undefined, context: CellContext): string {
  const last = now?.lastTaken
    ? `last ${shortName(now.lastTaken)}, ${ageText(now.lastTime, context)} ago`
    : "nothing yet";
  const next =
    now?.nextTime === undefined ? "" : `; next ${now.nextTime.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return schedule.suspended ? `suspended; ${last}` : `${last}${next}`;
}

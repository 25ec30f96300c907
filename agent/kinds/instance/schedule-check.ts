import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { type Schedule, ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import { isTimeZone, weekdays } from "../../schedules/when.js";

const maxSchedules = 8;
const longestSeconds = 366 * 86_400;
const maxDirectory = 4096;

/** What is wrong with what a spec says of snapshots and backups that are taken by themselves; pure. */
export function checkSchedules(
  field: string,
  schedules: readonly Schedule[],
  driver: InstanceDriver | undefined,
): readonly FieldViolation[] {
  if (schedules.length > maxSchedules) {
    return [{ field, description: `${schedules.length} are more than the ${maxSchedules} an instance can have` }];
  }
  return schedules.flatMap((schedule, index) => {
    const at = `${field}[${index}]`;
    const isRepeated = schedules.slice(0, index).some(({ name }) => name === schedule.name);
    const repeated = {
      field: `${at}.name`,
      description: `${quote(schedule.name)} is used by another schedule already`,
    };
    return [
      ...(isRepeated ? [repeated] : []),
      ...checkName(at, schedule),
      ...checkAction(at, schedule, driver),
      ...checkWhen(at, schedule),
      ...inRange(`${at}.keep`, schedule.keep, 0, 1000),
      ...inRange(`${at}.keep_days`, schedule.keepDays, 0, 3650),
      ...checkTarget(at, schedule),
    ];
  });
}

function checkName(at: string, { name }: Schedule): readonly FieldViolation[] {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$/.test(name)) return [];
  const wanted = '1 to 20 letters, digits, "-" or "_", beginning with a letter or digit';
  return [{ field: `${at}.name`, description: `${quote(name)} is not ${wanted}` }];
}

function checkAction(at: string, schedule: Schedule, driver: InstanceDriver | undefined): readonly FieldViolation[] {
  const { action, memory, incremental, fullEvery } = schedule;
  const field = `${at}.action`;
  const isBackup = action === ScheduleAction.SCHEDULE_ACTION_BACKUP;
  const isSnapshot = action === ScheduleAction.SCHEDULE_ACTION_SNAPSHOT;
  if (!isBackup && !isSnapshot) return [{ field, description: "must be a snapshot or a backup" }];
  const violations: FieldViolation[] = [];
  if (driver !== undefined && (isBackup ? driver.can.backup : driver.can.snapshot) === undefined) {
    const cannot = isBackup ? "cannot be backed up" : "keep no snapshots";
    violations.push({ field, description: `instances of driver ${driver.kind} ${cannot}` });
  }
  if (memory && (isBackup || driver?.can.snapshot?.withMemory === false)) {
    violations.push({ field: `${at}.memory`, description: "only snapshots of machines keep memory" });
  }
  if (incremental && isSnapshot) {
    violations.push({ field: `${at}.incremental`, description: "only backups can be incremental" });
  }
  if (fullEvery === 0) return violations;
  if (!incremental) violations.push({ field: `${at}.full_every`, description: "goes only with incremental backups" });
  return [...violations, ...inRange(`${at}.full_every`, fullEvery, 2, 1000)];
}

function checkWhen(at: string, { everySeconds, at: time, weekdays: days, timeZone }: Schedule): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const isTimed = time !== "";
  if (isTimed === (everySeconds !== 0n)) {
    violations.push({ field: at, description: "needs one of every_seconds and at: when it takes something" });
  }
  if (everySeconds !== 0n && (everySeconds < 60n || everySeconds > BigInt(longestSeconds))) {
    const description = `${everySeconds} is not between 60 and ${longestSeconds}`;
    violations.push({ field: `${at}.every_seconds`, description });
  }
  if (isTimed && !/^([01]\d|2[0-3]):[0-5]\d$/.test(time)) {
    violations.push({ field: `${at}.at`, description: `${quote(time)} is not a time of the day such as 03:30` });
  }
  const stranger = days.find((day) => !(weekdays as readonly string[]).includes(day));
  if (stranger !== undefined || days.length > weekdays.length) {
    const description = `${quote(stranger ?? days.join())} is none of ${listed(weekdays)}`;
    violations.push({ field: `${at}.weekdays`, description });
  }
  if (timeZone !== "" && !isTimeZone(timeZone)) {
    const description = `${quote(timeZone)} is not a time zone such as Europe/Berlin`;
    violations.push({ field: `${at}.time_zone`, description });
  }
  if (!isTimed && (days.length > 0 || timeZone !== "")) {
    violations.push({ field: at, description: "weekdays and time_zone go only with at" });
  }
  return violations;
}

function checkTarget(at: string, { action, target }: Schedule): readonly FieldViolation[] {
  const field = `${at}.target`;
  if (target === "") return [];
  if (action !== ScheduleAction.SCHEDULE_ACTION_BACKUP) return [{ field, description: "goes only with backups" }];
  if (target.startsWith("/") && target.length <= maxDirectory && /^[^\p{Cc}]*$/u.test(target)) return [];
  return [{ field, description: "is not one of the directories in the agent's setting backupDirs" }];
}

function inRange(field: string, value: number, least: number, most: number): readonly FieldViolation[] {
  return Number.isInteger(value) && value >= least && value <= most
    ? []
    : [{ field, description: `${value} is not between ${least} and ${most}` }];
}

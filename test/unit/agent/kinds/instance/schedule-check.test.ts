import { expect, it } from "vitest";
import { checkSchedules } from "../../../../../agent/kinds/instance/schedule-check.js";
import { Schedule, ScheduleAction } from "../../../../../proto/gen/zor/v1/schedule.js";
import { FakeDriver } from "../../../../fakes/driver.js";

const { SCHEDULE_ACTION_BACKUP: backup, SCHEDULE_ACTION_SNAPSHOT: action } = ScheduleAction;
const good = { name: "daily", action, everySeconds: 3600n };
const timed = { name: "daily", action, at: "03:30" };
const check = (...schedules: readonly Partial<Schedule>[]) =>
  checkSchedules(
    "s",
    schedules.map((each) => Schedule.fromPartial(each)),
    undefined,
  ).map(({ field, description }) => `${field} ${description}`);

it("accepts what can be carried out", () => {
  expect(check(good, { ...timed, name: "x", weekdays: ["mon"], timeZone: "Europe/Berlin", memory: true })).toEqual([]);
  expect(check({ ...good, action: backup, incremental: true, fullEvery: 2, target: "/mnt/backup" })).toEqual([]);
});

it.each<[Partial<Schedule>, RegExp]>([
  [{ ...good, name: "" }, /^s\[0\]\.name .*1 to 20/],
  [{ ...good, name: "a,b" }, /^s\[0\]\.name/],
  [{ ...good, name: "../x" }, /^s\[0\]\.name/],
  [{ ...good, name: "x".repeat(21) }, /^s\[0\]\.name/],
  [{ ...good, action: 0 }, /^s\[0\]\.action/],
  // A value of a newer client.
  [{ ...good, action: 9 as ScheduleAction }, /^s\[0\]\.action/],
  [{ ...good, everySeconds: 59n }, /^s\[0\]\.every_seconds/],
  [{ ...good, everySeconds: -1n }, /^s\[0\]\.every_seconds/],
  [{ ...good, everySeconds: 2n ** 62n }, /^s\[0\]\.every_seconds/],
  [{ ...good, at: "03:30" }, /^s\[0\] needs one of/],
  [{ ...good, everySeconds: 0n }, /^s\[0\] needs one of/],
  [{ ...timed, at: "24:00" }, /^s\[0\]\.at/],
  [{ ...timed, at: "03:30\n" }, /^s\[0\]\.at/],
  [{ ...timed, weekdays: ["monday"] }, /^s\[0\]\.weekdays/],
  [{ ...timed, weekdays: Array.from({ length: 8 }, () => "mon") }, /^s\[0\]\.weekdays/],
  [{ ...timed, timeZone: "Mars/Phobos" }, /^s\[0\]\.time_zone/],
  [{ ...good, timeZone: "UTC" }, /^s\[0\] weekdays and time_zone/],
  [{ ...good, keep: -1 }, /^s\[0\]\.keep /],
  [{ ...good, keep: 1001 }, /^s\[0\]\.keep /],
  [{ ...good, keepDays: 3651 }, /^s\[0\]\.keep_days/],
  [{ ...good, action: backup, memory: true }, /^s\[0\]\.memory/],
  [{ ...good, incremental: true }, /^s\[0\]\.incremental/],
  [{ ...good, action: backup, fullEvery: 3 }, /^s\[0\]\.full_every/],
  [{ ...good, action: backup, incremental: true, fullEvery: 1 }, /^s\[0\]\.full_every/],
  [{ ...good, target: "/x" }, /^s\[0\]\.target/],
  [{ ...good, action: backup, target: "x\u0000" }, /^s\[0\]\.target/],
])("refuses %o", (schedule, words) => {
  expect(check(schedule)).toEqual([expect.stringMatching(words)]);
});

it("refuses two of a name, more than eight, and what the driver cannot do", () => {
  expect(check(good, good)).toEqual(['s[1].name "daily" is used by another schedule already']);
  expect(check(...Array.from({ length: 9 }, () => good))).toEqual(["s 9 are more than the 8 an instance can have"]);
  expect(checkSchedules("s", [Schedule.fromPartial(good)], new FakeDriver())).toMatchObject([{ field: "s[0].action" }]);
});

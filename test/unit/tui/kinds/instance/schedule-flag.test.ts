import { describe, expect, it } from "vitest";
import { type Schedule, ScheduleAction } from "../../../../../proto/gen/zor/v1/schedule.js";
import { scheduleText } from "../../../../../tui/kinds/instance/describe-schedules.js";
import { parseSchedule, readSchedules } from "../../../../../tui/kinds/instance/schedule-flag.js";

describe("--schedule", () => {
  it.each<[string, Partial<Schedule>, string]>([
    [
      "every=24h,keep=7,what=snapshot",
      { name: "snapshot", everySeconds: 86_400n, keep: 7 },
      "snapshot every 24 h, keeps 7",
    ],
    ["every=2d,ram", { everySeconds: 172_800n, memory: true }, "snapshot with memory every 2 d, keeps 7"],
    [
      "name=night,what=backup,at=03:30,days=mon+Fri,zone=Europe/Berlin,incremental,keep-days=30,to=/mnt/b",
      { name: "night", action: ScheduleAction.SCHEDULE_ACTION_BACKUP, weekdays: ["mon", "fri"], keepDays: 30 },
      "incremental backup at 03:30 Europe/Berlin on mon, fri, keeps 30 days, in /mnt/b",
    ],
    ["every=90s,keep=2,keep-days=1", { everySeconds: 90n }, "snapshot every 90 s, keeps 2 and 1 days"],
  ])("reads %s, which is shown in words", (text, wanted, words) => {
    const schedule = parseSchedule(text);
    expect(schedule).toMatchObject(wanted);
    expect(scheduleText(schedule)).toBe(words);
  });

  it.each([
    ["keep=7", "needs one of every and at"],
    ["every=24h,at=03:30", "needs one of every and at"],
    ["every=10s", "is not a time"],
    ["every=400d", "is not a time"],
    ["every=1h,what=toString", "neither snapshot nor backup"],
    ["every=1h,keep=0", "from 1 to 1000"],
    ["every=1h,keep=1,keep=2", "given twice"],
    ["every=1h,ram=perhaps", "neither true nor false"],
    ["every=1h,color=red", "the keys are"],
  ])("refuses %s", (text, words) => {
    expect(() => parseSchedule(text)).toThrow(words);
  });

  it("takes all away with none", () => {
    expect(readSchedules({})).toBeUndefined();
    expect(readSchedules({ schedule: ["none"] })).toEqual([]);
    expect(() => readSchedules({ schedule: ["none", "every=1h"] })).toThrow("does not go with others");
  });
});

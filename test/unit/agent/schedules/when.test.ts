import { describe, expect, it } from "vitest";
import { isTimeZone, nextDue, type Timing } from "../../../../agent/schedules/when.js";

const ms = (text: string) => Date.parse(text);
const timing = (partial: Partial<Timing>): Timing => ({
  everySeconds: 0n,
  at: "",
  weekdays: [],
  timeZone: "",
  ...partial,
});
const next = (partial: Partial<Timing>, after: string, since = after) =>
  new Date(nextDue(timing(partial), ms(since), ms(after))).toISOString();

describe("when a schedule takes something", () => {
  it("is on a grid that begins when it was set, however late one was", () => {
    const every = { everySeconds: 3600n };
    expect(next(every, "2026-11-27T03:00:00Z")).toBe("2026-11-27T04:00:00.000Z");
    expect(next(every, "2026-11-27T09:10:00Z", "2026-11-27T03:00:00Z")).toBe("2026-11-27T10:00:00.000Z");
    expect(next(every, "2026-11-27T09:00:00Z", "2026-11-27T03:00:00Z")).toBe("2026-11-27T10:00:00.000Z");
    // The clock was put back to before it was set.
    expect(next(every, "2026-11-20T09:00:00Z", "2026-11-27T03:00:00Z")).toBe("2026-11-27T04:00:00.000Z");
  });

  it.each([
    ["today", { at: "03:30" }, "2026-11-27T03:29:59Z", "2026-11-27T03:30:00.000Z"],
    ["tomorrow", { at: "03:30" }, "2026-11-27T03:30:00Z", "2026-11-28T03:30:00.000Z"],
    ["on a day of the week", { at: "03:30", weekdays: ["wed"] }, "2026-11-27T03:00:00Z", "2026-12-02T03:30:00.000Z"],
    ["a week later", { at: "03:30", weekdays: ["fri"] }, "2026-11-27T03:30:00Z", "2026-12-04T03:30:00.000Z"],
    ["in a zone", { at: "00:10", timeZone: "Asia/Tokyo" }, "2026-11-27T12:00:00Z", "2026-11-27T15:10:00.000Z"],
    [
      "on its day",
      { at: "00:10", timeZone: "Asia/Tokyo", weekdays: ["sat"] },
      "2026-11-27T12:00:00Z",
      "2026-11-27T15:10:00.000Z",
    ],
    ["far west", { at: "23:00", timeZone: "Pacific/Honolulu" }, "2026-11-27T12:00:00Z", "2026-11-28T09:00:00.000Z"],
    [
      "an hour later when clocks skip it",
      { at: "02:30", timeZone: "Europe/Berlin" },
      "2026-03-29T00:00:00Z",
      "2026-03-29T01:30:00.000Z",
    ],
    [
      "the first of two",
      { at: "02:30", timeZone: "Europe/Berlin" },
      "2026-10-25T00:00:00Z",
      "2026-10-25T00:30:00.000Z",
    ],
    [
      "not the second of two",
      { at: "02:30", timeZone: "Europe/Berlin" },
      "2026-10-25T00:30:00Z",
      "2026-10-26T01:30:00.000Z",
    ],
  ])("is %s", (_, at, after, wanted) => {
    expect(next(at, after)).toBe(wanted);
  });

  it("knows time zones by their names", () => {
    expect(["UTC", "Europe/Berlin", "Etc/GMT+5"].filter((name) => !isTimeZone(name))).toEqual([]);
    expect(["", "Mars/Phobos", "a".repeat(65), "UTC\n", "+01:00", "../etc"].filter(isTimeZone)).toEqual([]);
  });
});

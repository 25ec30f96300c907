import { writeSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { createLog } from "../../../lib/log.js";

vi.mock("node:fs", async (importOriginal) => ({
  ...(await importOriginal<typeof import("node:fs")>()),
  writeSync: vi.fn(() => {
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  }),
}));

it("a log that cannot be written ends nothing", () => {
  const log = createLog("cable-engine");
  log.info("one");
  log.error({ err: new Error("two") }, "two");
  expect(vi.mocked(writeSync).mock.calls.map(([fd, line]) => [fd, JSON.parse(String(line)).msg])).toEqual([
    [2, "one"],
    [2, "two"],
  ]);
});

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openLogFile } from "../../../../tui/session/log-file.js";

describe("the log of the terminal interface", () => {
  it("is written at once: whoever looks after a crash finds all of it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "zt-log-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const path = join(directory, "zor", "tui.log");
    openLogFile(path).warn("the hub was lost");
    expect(await readFile(path, "utf8")).toContain("the hub was lost");
  });

  it("ends nothing when the disk is full, however much is said", () => {
    const log = openLogFile("/dev/full");
    expect(() => {
      for (let turn = 0; turn < 2000; turn += 1) log.warn({ turn }, "x".repeat(1000));
    }).not.toThrow();
  });
});

import { describe, expect, it } from "vitest";
import { isGuestSpeaking, LifeSigns, sumDiskUse } from "../../../../../agent/drivers/qemu/life-signs.js";

const seabios = "\x1b[2J\x1b[1;1HSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nMachine UUID 11111111-2222\r\n";
const booting = `${seabios}Booting from Hard Disk...\r\n`;

describe("output of a machine's console", () => {
  it.each<[string, string, boolean, boolean]>([
    ["nothing", "", false, false],
    ["control characters", "\r\n\x1b[2J\x1b[0m \0", false, false],
    ["a kernel that is booted directly", "[    0.0] Linux version", false, true],
    ["a firmware", seabios, true, false],
    ["a firmware that boots", booting, true, false],
    ["a firmware in the middle of a line", `${seabios}Booting from Ha`, true, false],
    [
      "a firmware that finds nothing",
      `${booting}Boot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n`,
      true,
      false,
    ],
    [
      "a firmware that tries again",
      `${booting}No bootable device.  Retrying in 60 seconds.\r\nRebooting.\r\n${booting}`,
      true,
      false,
    ],
    ["a boot loader behind it", `${booting}GNU GRUB`, true, true],
  ])("of %s", (_what, output, hasFirmware, expected) => {
    expect(isGuestSpeaking(output, hasFirmware)).toBe(expected);
  });
});

describe("the use of a machine's disks", () => {
  it.each<[unknown, object]>([
    [
      [{ stats: { rd_bytes: 512, wr_bytes: 1 } }, { stats: { rd_bytes: 1024, wr_bytes: 2 } }],
      { readBytes: 1536n, writtenBytes: 3n },
    ],
    [[], { readBytes: 0n, writtenBytes: 0n }],
    [[{}, null, { stats: "?" }], { readBytes: 0n, writtenBytes: 0n }],
    [undefined, { readBytes: 0n, writtenBytes: 0n }],
  ])("of %o is added up", (blockStats, expected) => {
    expect(sumDiskUse(blockStats)).toEqual(expected);
  });
});

describe("the signs of life of a guest", () => {
  const make = (hasFirmware = false) => new LifeSigns({ hasFirmware, startMs: 1000 });
  const hear = (life: LifeSigns, text: string) => life.hear(Buffer.from(text));

  it("are not the firmware's words, in however small pieces", () => {
    const life = make(true);
    for (const letter of `${booting}Boot failed: not a bootable disk\r\n\nNo bootable device.\r\n`) hear(life, letter);
    expect(life.isAlive).toBe(false);
  });

  it("are output, in however small pieces", () => {
    const life = make(true);
    for (const letter of `${booting}login`) {
      expect(life.isAlive).toBe(false);
      hear(life, letter);
      if (life.isAlive) break;
    }
    expect(life.isAlive).toBe(true);
  });

  it("are its agent's port and its drivers", () => {
    const life = make();
    life.note();
    expect(life.isAlive).toBe(true);
  });

  it.each([
    [{ readBytes: 512n, writtenBytes: 0n }, false],
    [{ readBytes: 16n * 1024n * 1024n, writtenBytes: 0n }, true],
    [{ readBytes: 512n, writtenBytes: 512n }, true],
  ])("are what it does to its disks: %o", (use, expected) => {
    const life = make(true);
    life.look(use);
    expect(life.isAlive).toBe(expected);
  });

  it("are waited for anew after a reset, and do not count while it is paused", () => {
    const life = make();
    hear(life, "x");
    life.goOn(2000);
    expect([life.isAlive, life.sinceMs]).toEqual([true, 1000]);
    life.begin(3000);
    expect([life.isAlive, life.sinceMs]).toEqual([false, 3000]);
    life.goOn(4000);
    expect([life.isAlive, life.sinceMs]).toEqual([false, 4000]);
    // It restarts without ever having shown a sign.
    life.begin(5000);
    expect([life.isAlive, life.sinceMs]).toEqual([false, 4000]);
  });
});

import { describe, expect, it } from "vitest";
import {
  type FirstSpeaker,
  isGuestSpeaking,
  LifeSigns,
  sumDiskUse,
} from "../../../../../agent/drivers/qemu/life-signs.js";

const seabios = "\x1b[2J\x1b[1;1HSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nMachine UUID 11111111-2222\r\n";
const booting = `${seabios}Booting from Hard Disk...\r\n`;

const uefi = "BdsDxe: loading Boot0001 from PciRoot(0x0)\r\nBdsDxe: starting Boot0001 from PciRoot(0x0)\r\n";

describe("output of a machine's console", () => {
  it.each<[string, string, FirstSpeaker, boolean]>([
    ["nothing", "", "guest", false],
    ["control characters", "\r\n\x1b[2J\x1b[0m \0", "guest", false],
    ["a kernel that is booted directly", "[    0.0] Linux version", "guest", true],
    ["a firmware", seabios, "bios", false],
    ["a firmware that boots", booting, "bios", false],
    ["a firmware in the middle of a line", `${seabios}Booting from Ha`, "bios", false],
    [
      "a firmware that finds nothing",
      `${booting}Boot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n`,
      "bios",
      false,
    ],
    [
      "a firmware that tries again",
      `${booting}No bootable device.  Retrying in 60 seconds.\r\nRebooting.\r\n${booting}`,
      "bios",
      false,
    ],
    ["a boot loader behind it", `${booting}GNU GRUB`, "bios", true],
    ["a UEFI that boots", uefi, "uefi", false],
    ["a UEFI that ends in its shell", `${uefi}UEFI Interactive Shell v2.2\r\nEDK II\r\nShell> `, "uefi", false],
    ["a kernel behind a UEFI", `${uefi}EFI stub: Loaded initrd\r\n[    0.0] Linux version`, "uefi", true],
  ])("of %s", (_what, output, speaksFirst, expected) => {
    expect(isGuestSpeaking(output, speaksFirst)).toBe(expected);
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
  const make = (speaksFirst: FirstSpeaker = "guest") => new LifeSigns({ speaksFirst, startMs: 1000 });
  const hear = (life: LifeSigns, text: string) => life.hear(Buffer.from(text));

  it("are not the firmware's words, in however small pieces", () => {
    const life = make("bios");
    for (const letter of `${booting}Boot failed: not a bootable disk\r\n\nNo bootable device.\r\n`) hear(life, letter);
    expect(life.isAlive).toBe(false);
  });

  it("are output, in however small pieces", () => {
    const life = make("bios");
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
    const life = make("bios");
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

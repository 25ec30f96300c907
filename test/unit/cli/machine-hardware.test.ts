import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QemuOptions } from "../../../proto/gen/zor/v1/qemu.js";
import { hardwareLines } from "../../../tui/kinds/instance/describe-hardware.js";
import { readHardware } from "../../../tui/kinds/instance/drivers/qemu-hardware.js";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "zt-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe("flags for the hardware of a machine", () => {
  it("say nothing when none is given", () => {
    expect(readHardware({})).toEqual({});
  });

  it("become options, with the content of files", () => {
    const path = join(directory, "user-data");
    writeFileSync(path, "#cloud-config\n");
    const values = { cores: "2", cpuModel: "qemu64", pin: "0-1", firmware: "uefi", secureBoot: true, tpm: true };
    expect(
      readHardware({
        ...values,
        hugepages: true,
        userData: path,
        boot: ["nics"],
        watchdog: "reset",
        share: ["path=/srv/a,tag=a,read-only"],
      }),
    ).toEqual({
      processors: { cores: 2, model: "qemu64", pin: "0-1" },
      memory: { hugepages: true },
      firmware: "FIRMWARE_UEFI",
      ...{ secureBoot: true, tpm: true },
      seed: { userData: "#cloud-config\n" },
      bootOrder: ["nics"],
      watchdog: { action: "reset" },
      shares: [{ path: "/srv/a", tag: "a", readOnly: true }],
    });
  });

  it("name what is wrong with them", () => {
    expect(() => readHardware({ cores: "0" })).toThrow(/--cores/);
    expect(() => readHardware({ share: ["path=/srv/a"] })).toThrow(/--share.*needs path and tag/);
    expect(() => readHardware({ share: ["path=/srv/a,tag=a,read-only=no"] })).toThrow(/--share.*takes no value/);
    expect(() => readHardware({ firmware: "efi" })).toThrow(/--firmware.*neither bios nor uefi/);
    expect(() => readHardware({ userData: join(directory, "missing") })).toThrow(/--user-data.*cannot be read/);
    const large = join(directory, "large");
    writeFileSync(large, "x".repeat(65_537));
    expect(() => readHardware({ metaData: large })).toThrow(/--meta-data.*larger than/);
  });
});

describe("the description of a machine", () => {
  it("tells what was asked for and nothing else", () => {
    expect(hardwareLines(QemuOptions.fromPartial({}))).toEqual([]);
    const lines = hardwareLines(
      QemuOptions.fromPartial({
        processors: { model: "qemu64", features: ["+avx2"], cores: 2, pin: "0" },
        memory: { balloon: true, maxMib: 1024n },
        watchdog: {},
      }),
    );
    expect(JSON.stringify(lines)).toMatch(
      /qemu64 \+avx2, 2 cores, on the host's 0.*balloon, up to 1G.*i6300esb, reset/,
    );
  });
});

import { describe, expect, it } from "vitest";
import { parseNic } from "../../../tui/kinds/instance/nic-flag.js";
import { parseDisk, toCdroms } from "../../../tui/kinds/instance/drivers/qemu-disks.js";

describe("the flags of disks, drives and interfaces", () => {
  it("say everything of a disk", () => {
    const text =
      "image=a.qcow2,size=10G,bus=scsi,format=qcow2,cache=none,io=native,serial=x1,persistent,read-only,discard=false,detect-zeroes=on,iops=100,read-bps=1000000";
    expect(parseDisk(text, false)).toEqual({
      ...{ image: "a.qcow2", sizeMib: "10240", bus: "scsi", format: "qcow2", cache: "none", io: "native" },
      ...{ serial: "x1", persistent: true, readOnly: true, discard: false, detectZeroes: "on" },
      limits: { iops: "100", readBytesPerSecond: "1000000" },
    });
    expect(parseDisk("size=1G", true)).toEqual({ image: "", sizeMib: "1024", persistent: true });
  });

  it.each(["imag=a", "image=a,image=b", "persistent=maybe", "iops=0", "iops=-1", "size=x", "read-only=1"])(
    "refuse %s by name of the flag",
    (text) => {
      expect(() => parseDisk(text, false)).toThrow("--disk");
    },
  );

  it("say what lies in a drive, or that it is empty", () => {
    expect(toCdroms([])).toEqual({});
    expect(toCdroms(["a.iso", "empty", "image=b.iso,bus=scsi", "bus=usb"])).toEqual({
      cdroms: [{ image: "a.iso" }, {}, { image: "b.iso", bus: "scsi" }, { bus: "usb" }],
    });
    expect(() => toCdroms(["img=a.iso"])).toThrow("--cdrom");
  });

  it("say the model and the queues of an interface", () => {
    expect(parseNic("lan=lan1,model=e1000")).toMatchObject({ model: "e1000", queues: 0 });
    expect(parseNic("queues=2")).toMatchObject({ model: "", queues: 2 });
    expect(() => parseNic("queues=9")).toThrow("--nic queues");
  });
});

import type { CdromDrive, Disk, DiskLimits } from "../../../proto/gen/zor/v1/qemu.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import { formatMib } from "../../kit/format.js";

/** The disks and drives of a machine. */
export function diskLines(disks: readonly Disk[], cdroms: readonly CdromDrive[]): readonly DescribeLine[] {
  return [
    ...disks.map((disk, index) => field(diskLabel(disk, index), diskText(disk))),
    ...cdroms.map(({ name, image, bus, deviceAddress }, index) =>
      field(name === "" ? `cdrom ${index}` : name, joined([image === "" ? "empty" : image, bus], deviceAddress)),
    ),
  ];
}

function diskLabel({ name }: Disk, index: number): string {
  return `disk ${name === "" ? index : name.replace("disk", "")}`;
}

function diskText(disk: Disk): string {
  const { image, volume, sizeMib, persistent, readOnly, bus, cache, io, serial, limits, deviceAddress } = disk;
  const written = persistent || volume !== "" ? "persistent" : "changes are thrown away";
  return joined(
    [
      volume === "" ? image || "empty" : `volume ${volume}`,
      readOnly ? "read only" : written,
      sizeMib === 0n ? "" : formatMib(sizeMib),
      bus,
      cache === "" ? "" : `cache ${cache}`,
      io === "" ? "" : `io ${io}`,
      serial === "" ? "" : `serial ${serial}`,
      limitText(limits),
    ],
    deviceAddress,
  );
}

function limitText(limits: DiskLimits | undefined): string {
  if (limits === undefined) return "";
  const { iops, readIops, writeIops, bytesPerSecond, readBytesPerSecond, writeBytesPerSecond } = limits;
  const bounds: readonly (readonly [bigint, string])[] = [
    [iops, "iops"],
    [readIops, "read iops"],
    [writeIops, "write iops"],
    [bytesPerSecond, "B/s"],
    [readBytesPerSecond, "B/s read"],
    [writeBytesPerSecond, "B/s written"],
  ];
  const said = bounds.filter(([value]) => value > 0n).map(([value, unit]) => `${value} ${unit}`);
  return said.length === 0 ? "" : `at most ${said.join(" and ")}`;
}

function joined(parts: readonly string[], address: string): string {
  return `${parts.filter((part) => part !== "").join(", ")}  ${address}`.trimEnd();
}

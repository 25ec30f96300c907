import type { DiskEntry, DiskUsage } from "../../../proto/gen/zor/v1/disk_service.js";
import type { Column } from "../output/table.js";

/** By the type of stat(2), in steps of 010000. */
const kinds = "?pc?d?b?-?l?s???";

/** Type and permissions as ls(1) shows them. */
function modeText(mode: number): string {
  const bits = ["r", "w", "x", "r", "w", "x", "r", "w", "x"].map((letter, at) =>
    (mode & (0o400 >> at)) === 0 ? "-" : letter,
  );
  const special: readonly (readonly [number, number, string])[] = [
    [0o4000, 2, "s"],
    [0o2000, 5, "s"],
    [0o1000, 8, "t"],
  ];
  for (const [bit, at, letter] of special) {
    if ((mode & bit) !== 0) bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  }
  return `${kinds.charAt((mode >> 12) & 0xf)}${bits.join("")}`;
}

/** A name of a guest's: bytes that are no UTF-8 become U+FFFD. */
function nameText(name: Uint8Array): string {
  return Buffer.from(name).toString("utf8");
}

/** Entries of a directory as ls(1) shows them. */
export const entryColumns: readonly Column<DiskEntry>[] = [
  { title: "MODE", rank: 2, value: ({ mode }) => modeText(mode) },
  { title: "OWNER", rank: 3, value: ({ uid, gid }) => `${uid}:${gid}` },
  { title: "SIZE", rank: 1, align: "right", value: ({ size }) => `${size}`, sortKey: ({ size }) => Number(size) },
  {
    title: "MODIFIED",
    rank: 2,
    value: ({ modified }) => timeText(modified),
    sortKey: ({ modified }) => Number(modified),
  },
  {
    title: "NAME",
    rank: 0,
    value: ({ name, target }) => `${nameText(name)}${target.length === 0 ? "" : ` -> ${nameText(target)}`}`,
  },
];

/** A time of a guest's, which may be any number. */
function timeText(seconds: bigint): string {
  const time = new Date(Number(seconds) * 1000);
  return Number.isNaN(time.getTime()) ? "?" : time.toISOString().slice(0, 16).replace("T", " ");
}

/** What programs are told of an entry. */
export function entryJson(entry: DiskEntry): object {
  const { name, mode, uid, gid, size, modified, target } = entry;
  return {
    name: Buffer.from(name).toString("utf8"),
    mode: (mode & 0o7777).toString(8).padStart(4, "0"),
    type: modeText(mode)[0],
    ...{ uid, gid, size: Number(size), modified: Number(modified) },
    ...(target.length === 0 ? {} : { target: Buffer.from(target).toString("utf8") }),
  };
}

/** File systems, in MiB; of one that cannot be read, why. */
export const usageColumns: readonly Column<DiskUsage>[] = [
  { title: "DEVICE", rank: 0, value: ({ device }) => device },
  { title: "TYPE", rank: 2, value: ({ type }) => type },
  figureColumn("SIZE MIB", ({ size }) => size),
  figureColumn("USED", ({ size, free }) => size - free),
  figureColumn("FREE", ({ free }) => free),
  {
    title: "USE",
    rank: 0,
    value: ({ size, free, reason }) => reason || (size === 0n ? "" : `${(100n * (size - free)) / size}%`),
    sortKey: ({ size, free }) => (size === 0n ? 0 : Number((100n * (size - free)) / size)),
  },
  { title: "LABEL", rank: 3, value: ({ label }) => label },
];

function figureColumn(title: string, bytesOf: (usage: DiskUsage) => bigint): Column<DiskUsage> {
  return {
    title,
    rank: 1,
    align: "right",
    value: (usage) => (usage.reason === "" ? mib(bytesOf(usage)) : ""),
    sortKey: (usage) => Number(bytesOf(usage)),
  };
}

function mib(bytes: bigint): string {
  return `${bytes / (1024n * 1024n)}`;
}

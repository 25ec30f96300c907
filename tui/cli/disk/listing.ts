import type { DiskEntry, DiskUsage } from "../../../proto/gen/zor/v1/disk_service.js";
import { escapeText } from "../../kit/text/escape.js";

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

/** A name of a guest's for people: bytes that are no UTF-8 become U+FFFD, and nothing reaches a terminal as an order. */
export function nameText(name: Uint8Array): string {
  return escapeText(Buffer.from(name).toString("utf8"));
}

/** An entry in one line. @param widths of size and owner. */
export function entryLine(entry: DiskEntry): string {
  const { mode, uid, gid, size, modified, name, target } = entry;
  const arrow = target.length === 0 ? "" : ` -> ${nameText(target)}`;
  const owner = `${uid}:${gid}`.padEnd(11);
  return `${modeText(mode)} ${owner} ${String(size).padStart(12)} ${timeText(modified)} ${nameText(name)}${arrow}`;
}

/** A time of a guest's, which may be any number. */
function timeText(seconds: bigint): string {
  const time = new Date(Number(seconds) * 1000);
  return Number.isNaN(time.getTime()) ? "?".padEnd(16) : time.toISOString().slice(0, 16).replace("T", " ").padEnd(16);
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

/** A file system in the cells of a table. */
export function usageCells({ device, type, label, size, free, reason }: DiskUsage): readonly string[] {
  const used = size - free;
  const share = size === 0n ? "" : `${(100n * used) / size}%`;
  const figures = reason === "" ? [mib(size), mib(used), mib(free), share] : ["", "", "", reason];
  return [device, type, ...figures, label].map(escapeText);
}

function mib(bytes: bigint): string {
  return `${bytes / (1024n * 1024n)}`;
}

import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { parseFields, parseWhole, singleField } from "../../../kit/input/key-values.js";
import { parseMemoryMib } from "../../../kit/input/memory.js";

/** Fields of --disk that go to the disk as they are; the agent knows their words. */
const words = {
  image: "image",
  volume: "volume",
  bus: "bus",
  format: "format",
  cache: "cache",
  io: "io",
  serial: "serial",
} as const;
const flags = { "read-only": "readOnly", discard: "discard", iothread: "iothread" } as const;
const limits = {
  iops: "iops",
  "read-iops": "readIops",
  "write-iops": "writeIops",
  bps: "bytesPerSecond",
  "read-bps": "readBytesPerSecond",
  "write-bps": "writeBytesPerSecond",
} as const;
const diskFields = [
  ...Object.keys(words),
  ...Object.keys(flags),
  ...Object.keys(limits),
  ...["persistent", "size", "detect-zeroes"],
];

/** Parses one --disk: "image=a.qcow2,size=10G,bus=scsi,cache=none,persistent". */
export function parseDisk(text: string, persistent: boolean): object {
  const fields = parseFields("--disk", text, diskFields);
  const single = (key: string) => singleField("--disk", fields, key);
  const isVolume = single("volume") !== undefined;
  const size = single("size");
  const zeroes = single("detect-zeroes");
  const bounds = Object.entries(limits).flatMap(([key, name]) => {
    const value = single(key);
    return value === undefined ? [] : [[name, String(parseWhole(`--disk ${key}`, value, 1, 2 ** 40))] as const];
  });
  return {
    image: "",
    ...Object.fromEntries(Object.entries(words).flatMap(([key, name]) => pair(name, single(key)))),
    ...Object.fromEntries(Object.entries(flags).flatMap(([key, name]) => pair(name, toBoolean(key, single(key))))),
    persistent: toBoolean("persistent", single("persistent")) ?? (persistent && !isVolume),
    ...(size === undefined ? {} : { sizeMib: String(parseMemoryMib("--disk size", size)) }),
    ...(zeroes === undefined ? {} : { detectZeroes: zeroes }),
    ...(bounds.length === 0 ? {} : { limits: Object.fromEntries(bounds) }),
  };
}

/** Parses all --cdrom: "install.iso", "empty", "image=install.iso,bus=scsi". */
export function toCdroms(texts: readonly string[]): { readonly cdroms?: readonly object[] } {
  return texts.length === 0 ? {} : { cdroms: texts.map(parseCdrom) };
}

function parseCdrom(text: string): object {
  if (text === "empty") return {};
  if (!text.includes("=")) return { image: text };
  const fields = parseFields("--cdrom", text, ["image", "bus"]);
  return Object.fromEntries(["image", "bus"].flatMap((key) => pair(key, singleField("--cdrom", fields, key))));
}

function pair<T>(name: string, value: T | undefined): readonly (readonly [string, T])[] {
  return value === undefined ? [] : [[name, value]];
}

function toBoolean(key: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === "true" || text === "false") return text === "true";
  throw invalidArgument("--disk", `${key}=${quote(text)} is neither true nor false`);
}

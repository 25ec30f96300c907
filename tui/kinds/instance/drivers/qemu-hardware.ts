import { readFileSync, statSync } from "node:fs";
import { invalidArgument, messageOf } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { parseFields, parseWhole, singleField } from "../../../kit/input/key-values.js";
import { parseMemoryMib } from "../../../kit/input/memory.js";
import { type Flag, type FlagValues, flagText, flagTexts } from "../../../kit/kind-commands.js";

const mostCpus = 255;
const mostRedirections = 4;
/** What the agent takes of a file of a seed. */
const maxSeedBytes = 64 * 1024;

/** Flags of a machine's screen, which can be changed too. */
export const screenFlags: readonly Flag[] = [
  { flags: "--display <type>", help: "qemu: none, std, virtio, qxl, cirrus or vmware" },
  { flags: "--spice", help: "qemu: its screen is shown by SPICE too; with --display" },
  {
    flags: "--usb-redirections <count>",
    help: "qemu: places for USB devices of whoever looks at the screen by SPICE: 0 to 4",
  },
];

/** Flags for what a machine is made of, but for its disks and interfaces. */
export const hardwareFlags: readonly Flag[] = [
  { flags: "--sockets <count>", help: "qemu: sockets; with cores and threads, their product is the number of CPUs" },
  { flags: "--cores <count>", help: "qemu: cores of a socket" },
  { flags: "--threads <count>", help: "qemu: threads of a core" },
  { flags: "--cpu-model <model>", help: "qemu: model of processor that the host's QEMU knows" },
  { flags: "--pin <cpus>", help: "qemu: CPUs of the host that it may run on: 0-3,8" },
  { flags: "--hugepages", help: "qemu: its memory is of the host's huge pages" },
  { flags: "--max-cpus <count>", help: "qemu: most CPUs that it can be given while it runs" },
  { flags: "--max-memory <size>", help: "qemu: most memory that it can be given while it runs" },
  { flags: "--balloon <size>", help: "qemu: a balloon, and what it leaves of the memory: 512M or all" },
  { flags: "--firmware <firmware>", help: "qemu: bios or uefi" },
  { flags: "--secure-boot", help: "qemu: boots only what is signed; with --firmware uefi" },
  { flags: "--tpm", help: "qemu: a TPM 2.0" },
  { flags: "--user-data <file>", help: "qemu: cloud-init's user-data, from a file here" },
  { flags: "--meta-data <file>", help: "qemu: cloud-init's meta-data, from a file here" },
  { flags: "--network-config <file>", help: "qemu: cloud-init's network-config, from a file here" },
  {
    flags: "--boot <device>",
    help: "qemu: what is tried to boot, in order: disks, nics, disk0; repeated",
    repeatable: true,
  },
  { flags: "--watchdog <action>", help: "qemu: a watchdog: reset, poweroff, pause or none" },
  {
    flags: "--share <fields>",
    help: "qemu: a directory of the host: path=DIR,tag=NAME, type=virtiofs, read-only; may be repeated",
    repeatable: true,
  },
  ...screenFlags,
];

/** What the flags say, as proto3 JSON. @throws {ZorError} INVALID_ARGUMENT that names the flag. */
export function readHardware(values: FlagValues): Readonly<Record<string, unknown>> {
  const processors = defined({
    sockets: countOf(values, "sockets"),
    cores: countOf(values, "cores"),
    threads: countOf(values, "threads"),
    model: flagText(values, "cpuModel"),
    pin: flagText(values, "pin"),
    maxCpus: countOf(values, "maxCpus", "--max-cpus"),
  });
  const maxMemory = flagText(values, "maxMemory");
  const memory = defined({
    hugepages: values["hugepages"] === true ? true : undefined,
    maxMib: maxMemory === undefined ? undefined : `${parseMemoryMib("--max-memory", maxMemory)}`,
    ...readBalloonFlag(flagText(values, "balloon")),
  });
  const seed = defined({
    userData: fileOf(values, "userData", "--user-data"),
    metaData: fileOf(values, "metaData", "--meta-data"),
    networkConfig: fileOf(values, "networkConfig", "--network-config"),
  });
  const watchdog = flagText(values, "watchdog");
  const bootOrder = flagTexts(values, "boot");
  const shares = flagTexts(values, "share").map(parseShare);
  return defined({
    processors: Object.keys(processors).length === 0 ? undefined : processors,
    memory: Object.keys(memory).length === 0 ? undefined : memory,
    firmware: firmwareOf(flagText(values, "firmware")),
    secureBoot: values["secureBoot"] === true ? true : undefined,
    tpm: values["tpm"] === true ? true : undefined,
    seed: Object.keys(seed).length === 0 ? undefined : seed,
    bootOrder: bootOrder.length === 0 ? undefined : bootOrder,
    watchdog: watchdog === undefined ? undefined : { action: watchdog },
    display: flagText(values, "display"),
    spice: readSpice(values),
    shares: shares.length === 0 ? undefined : shares,
  });
}

/** What the flags say of SPICE; undefined: nothing. @throws {ZorError} INVALID_ARGUMENT that names the flag. */
export function readSpice(values: FlagValues): { readonly usbRedirections?: number } | undefined {
  const given = flagText(values, "usbRedirections");
  if (given !== undefined) return { usbRedirections: parseWhole("--usb-redirections", given, 0, mostRedirections) };
  return values["spice"] === true ? {} : undefined;
}

function parseShare(text: string): object {
  const fields = parseFields("--share", text, ["path", "tag", "type", "read-only"]);
  const [path, tag, type, readOnly] = ["path", "tag", "type", "read-only"].map((key) =>
    singleField("--share", fields, key),
  );
  if (path === undefined || tag === undefined) throw invalidArgument("--share", `${quote(text)} needs path and tag`);
  if (readOnly !== undefined && readOnly !== "true") throw invalidArgument("--share", '"read-only" takes no value');
  return { path, tag, ...(type === undefined ? {} : { type }), ...(readOnly === undefined ? {} : { readOnly: true }) };
}

function defined(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** What `--balloon` says, as proto3 JSON of the memory. @throws {ZorError} */
export function readBalloonFlag(given: string | undefined): { readonly balloon?: true; readonly balloonMib?: string } {
  if (given === undefined) return {};
  return { balloon: true, balloonMib: given === "all" ? "0" : `${parseMemoryMib("--balloon", given)}` };
}

function countOf(values: FlagValues, name: string, flag = `--${name}`): number | undefined {
  const given = flagText(values, name);
  return given === undefined ? undefined : parseWhole(flag, given, 1, mostCpus);
}

function firmwareOf(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  if (given === "bios" || given === "uefi") return `FIRMWARE_${given.toUpperCase()}`;
  throw invalidArgument("--firmware", `${quote(given)} is neither bios nor uefi`);
}

function fileOf(values: FlagValues, name: string, flag: string): string | undefined {
  const path = flagText(values, name);
  if (path === undefined) return undefined;
  try {
    if (statSync(path).size <= maxSeedBytes) return readFileSync(path, "utf8");
  } catch (error) {
    throw invalidArgument(flag, `${quote(path)} cannot be read: ${messageOf(error)}`);
  }
  throw invalidArgument(flag, `${quote(path)} is larger than the ${maxSeedBytes} bytes that it may have`);
}

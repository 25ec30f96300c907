import { Firmware, type QemuOptions, type Share } from "../../../proto/gen/zor/v1/qemu.js";
import { type DescribeLine, field } from "../../kit/describe/line.js";
import { formatMib } from "../../kit/format.js";

/** What a machine is made of beyond its size, disks and interfaces. What was not asked for is not told. */
export function hardwareLines(options: QemuOptions): readonly DescribeLine[] {
  const { bootOrder, display, watchdog, hostDevices, extraArguments, architecture, shares } = options;
  const lines: readonly (readonly [string, string])[] = [
    ["architecture", architecture],
    ["processor", processorText(options)],
    ["memory of", memoryText(options)],
    ["firmware", firmwareText(options)],
    ["boot order", bootOrder.join(" ")],
    ["tpm", options.tpm ? "2.0" : ""],
    ["seed", options.seed === undefined ? "" : "cloud-init"],
    ["config disk", options.configDisk?.files.map(({ name }) => name).join(" ") ?? ""],
    ["watchdog", watchdog === undefined ? "" : `${watchdog.model || "i6300esb"}, ${watchdog.action || "reset"}`],
    ["display", display],
    ["spice", spiceText(options)],
    ["shares", shares.map(toShare).join("; ")],
    ["host devices", hostDevices.join(" ")],
    ["qemu arguments", extraArguments.join(" ")],
  ];
  return lines.filter(([, text]) => text !== "").map(([label, text]) => field(label, text));
}

function processorText({ processors }: QemuOptions): string {
  if (processors === undefined) return "";
  const { sockets, cores, threads, model, features, maxCpus, pin } = processors;
  return joined([
    [model, ...features].filter((part) => part !== "").join(" "),
    counted(sockets, "sockets"),
    counted(cores, "cores"),
    counted(threads, "threads"),
    maxCpus > 0 ? `up to ${maxCpus}` : "",
    pin === "" ? "" : `on the host's ${pin}`,
  ]);
}

function memoryText({ memory }: QemuOptions): string {
  if (memory === undefined) return "";
  return joined([
    memory.hugepages ? "huge pages" : "",
    memory.merge === false ? "not merged" : "",
    memory.preallocate ? "taken at the start" : "",
    memory.balloon ? (memory.balloonMib > 0n ? `balloon leaves ${formatMib(memory.balloonMib)}` : "balloon") : "",
    memory.maxMib > 0n ? `up to ${formatMib(memory.maxMib)}` : "",
    counted(memory.numa.length, "nodes"),
  ]);
}

function firmwareText({ firmware, secureBoot }: QemuOptions): string {
  if (firmware === Firmware.FIRMWARE_UEFI) return secureBoot ? "UEFI, secure boot" : "UEFI";
  return firmware === Firmware.FIRMWARE_BIOS ? "BIOS" : "";
}

function spiceText({ spice }: QemuOptions): string {
  if (spice === undefined) return "";
  const { usbRedirections, agent } = spice;
  return joined(["yes", counted(usbRedirections, "USB redirections"), agent ? "guest's agent" : ""]);
}

function counted(count: number, word: string): string {
  return count > 0 ? `${count} ${word}` : "";
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}

function toShare({ path, tag, type, readOnly }: Share): string {
  return [`${path} as ${tag}`, ...(type === "virtiofs" ? [type] : []), ...(readOnly ? ["read-only"] : [])].join(", ");
}

import type { DescMessage } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { findRule, findTiming } from "../../../../../agent/drivers/qemu/change-timing.js";
import { descriptors } from "../../../../../lib/grpc/descriptors.js";
import { Instance, type InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

function messageOf(type: string): DescMessage {
  const message = descriptors().registry.getMessage(type);
  if (message === undefined) throw new Error(`there is no message ${type}`);
  return message;
}

function specOf(spec: object, qemu: object): InstanceSpec {
  const { spec: made } = Instance.fromJSON({ spec: { cpus: 1, memoryMib: "128", qemu, ...spec } });
  if (made === undefined) throw new Error("the spec is there");
  return made;
}

describe("when a change of a machine takes effect", () => {
  it.each([
    ["qemu", "zor.v1.QemuOptions"],
    ["qemu.processors", "zor.v1.Processors"],
    ["qemu.memory", "zor.v1.Memory"],
  ])("is decided for every field of %s", (path, type) => {
    const undecided = messageOf(type).fields.filter(({ name }) => findRule(`${path}.${name}`) === undefined);
    expect(undecided.map(({ name }) => name)).toEqual([]);
  });

  const room = { processors: { maxCpus: 4 }, memory: { maxMib: "1024", balloon: true } };
  it.each<[string, string, object, object, object, string]>([
    ["more CPUs, of a machine made for them", "cpus", { cpus: 4 }, room, room, "now"],
    ["more CPUs than it was made for", "cpus", { cpus: 5 }, room, room, "next-start"],
    ["more CPUs, of another machine", "cpus", { cpus: 2 }, {}, room, "next-start"],
    ["more memory, of a machine made for it", "memory_mib", { memoryMib: "256" }, room, room, "now"],
    ["memory that is no whole block", "memory_mib", { memoryMib: "200" }, room, room, "next-start"],
    ["less memory", "memory_mib", { memoryMib: "64" }, room, room, "next-start"],
    ["what the balloon leaves", "qemu.memory.balloon_mib", {}, room, room, "now"],
    ["a balloon that is not there yet", "qemu.memory.balloon_mib", {}, {}, room, "next-start"],
    ["pinning", "qemu.processors.pin", {}, {}, { processors: { pin: "0" } }, "now"],
    ["a TPM", "qemu.tpm", {}, {}, { tpm: true }, "next-start"],
    ["one string of many", "qemu.smbios.system.serial", {}, {}, {}, "next-start"],
    ["the machine type", "qemu.machine", {}, {}, { machine: "pc" }, "never"],
    ["secure boot where there are keys", "qemu.secure_boot", {}, { firmware: "FIRMWARE_UEFI" }, {}, "never"],
  ])("is, for %s, %6$s", (_what, path, size, was, next, when) => {
    const change = { path, before: specOf({}, was), after: specOf(size, next), isRunning: true };
    expect(findTiming(change)?.when).toBe(when);
  });
});

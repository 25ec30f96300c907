import { describe, expect, it } from "vitest";
import {
  findHeadlessSlots,
  fixedAddresses,
  isAloneInSlot,
  placeDevices,
} from "../../../../../agent/drivers/qemu/placement.js";
import { InstanceSpec, Nic } from "../../../../../proto/gen/zor/v1/instance.js";
import { Disk, QemuOptions } from "../../../../../proto/gen/zor/v1/qemu.js";

interface Size {
  readonly machine?: string;
  readonly nics: number;
  readonly disks: number;
}

function specOf({ machine = "", nics, disks }: Size, isNew = true): InstanceSpec {
  const value = QemuOptions.fromPartial({
    machine,
    disks: Array.from({ length: disks }, () => Disk.fromPartial({ image: "a.qcow2" })),
  });
  const spec = {
    ...InstanceSpec.fromPartial({}),
    nics: Array.from({ length: nics }, (_, index) => Nic.fromPartial({ name: `eth${index}` })),
    driver: { $case: "qemu" as const, value },
  };
  return placeDevices(spec, { isNew });
}

const nicsOf = (spec: InstanceSpec) => spec.nics.map(({ deviceAddress }) => deviceAddress);
const disksOf = ({ driver }: InstanceSpec) =>
  driver?.$case === "qemu" ? driver.value.disks.map(({ deviceAddress }) => deviceAddress) : [];

describe("the places of a machine's devices", () => {
  it.each([
    ["q35", 31, 16],
    ["pc", 31, 16],
    ["microvm", 15, 7],
  ] as const)("on %s are different ones for %i interfaces and %i disks", (machine, nics, disks) => {
    const spec = specOf({ machine, nics, disks });
    const { serial, rng } = fixedAddresses(machine);
    const all = [...nicsOf(spec), ...disksOf(spec), serial, ...(rng === undefined ? [] : [rng])];
    expect(all).toHaveLength(new Set(all).size);
    expect(all).not.toContain("");
    // Bridges of both machine types are in slots 0, 1 and 1f.
    expect(all.filter((address) => /:(00|01|1f)\./.test(address))).toEqual([]);
    // A guest looks for functions of a slot only where there is function 0.
    const slots = new Set(all.map((address) => address.replace(/\.[1-7]$/, ".0")));
    if (machine !== "microvm") expect([...slots].filter((address) => !all.includes(address))).toEqual([]);
  });

  it.each(["q35", "pc", "microvm"])("on %s do not move when disks or interfaces are added", (machine) => {
    const most = machine === "microvm" ? { nics: 15, disks: 7 } : { nics: 31, disks: 16 };
    const full = specOf({ machine, ...most });
    for (let nics = 0; nics <= most.nics; nics += 1) {
      for (let disks = 0; disks <= most.disks; disks += 1) {
        const spec = specOf({ machine, nics, disks });
        expect(nicsOf(spec)).toEqual(nicsOf(full).slice(0, nics));
        expect(disksOf(spec)).toEqual(disksOf(full).slice(0, disks));
      }
    }
  });

  it("are the ones of the record when there is one, and new ones for what is not in it", () => {
    const spec = specOf({ nics: 2, disks: 1 });
    expect(placeDevices(spec, { isNew: false })).toBe(spec);
    const grown = { ...spec, nics: [...spec.nics, Nic.fromPartial({ name: "eth2" })] };
    expect(nicsOf(placeDevices(grown, { isNew: false }))).toEqual([...nicsOf(spec), "0000:00:08.2"]);
  });

  it("keep the order of interfaces when one is taken away and another added", () => {
    const { nics, ...rest } = specOf({ nics: 6, disks: 0 });
    const changed = { ...rest, nics: [...nics.slice(1, 5), Nic.fromPartial({ name: "eth9" })] };
    const placed = nicsOf(placeDevices(changed, { isNew: false }));
    expect(placed).toEqual(placed.toSorted());
    expect(placed.at(-1)).toBe("0000:00:09.1");
    expect(findHeadlessSlots(placed)).toEqual([8]);
  });

  it("of a pc that share a slot cannot be taken away one by one", () => {
    const [first = "", ...others] = nicsOf(specOf({ machine: "pc", nics: 5, disks: 0 }));
    expect(isAloneInSlot(first, others)).toBe(false);
    expect(isAloneInSlot(others.at(-1) ?? "", [first, ...others])).toBe(true);
  });

  it("are not taken from who asks for a new machine", () => {
    const spec = specOf({ nics: 1, disks: 0 });
    const asked = { ...spec, nics: spec.nics.map((nic) => ({ ...nic, deviceAddress: "0000:00:1f.0,x=y" })) };
    expect(placeDevices(asked, { isNew: true })).toEqual(spec);
  });

  it.each<[string, Size, string[], string[]]>([
    ["q35", { nics: 1, disks: 1 }, ["0000:00:02.3"], ["0000:00:02.2"]],
    [
      "q35 with more than a slot holds",
      { nics: 8, disks: 0 },
      Array.from({ length: 8 }, (_, index) => `0000:00:0${index < 6 ? `2.${index + 2}` : `3.${index - 6}`}`),
      [],
    ],
    [
      "microvm",
      { machine: "microvm", nics: 2, disks: 1 },
      ["virtio-mmio-bus.21", "virtio-mmio-bus.20"],
      ["virtio-mmio-bus.22"],
    ],
  ])("of a machine without a record stay where 0.1 put them: %s", (_what, size, nics, disks) => {
    const spec = specOf(size, false);
    expect(nicsOf(spec)).toEqual(nics);
    expect(disksOf(spec)).toEqual(disks);
    expect(placeDevices(spec, { isNew: false })).toBe(spec);
  });

  it("are no matter of containers", () => {
    const spec = { ...InstanceSpec.fromPartial({}), nics: [Nic.fromPartial({})] };
    expect(placeDevices(spec, { isNew: true })).toBe(spec);
  });

  it("are given at once, however many are asked for that can be added while it runs", () => {
    const value = QemuOptions.fromPartial({
      hotplugPorts: 2 ** 31 - 1,
      disks: [Disk.fromPartial({ image: "a.qcow2" })],
    });
    const spec = { ...InstanceSpec.fromPartial({}), driver: { $case: "qemu" as const, value } };
    expect(disksOf(placeDevices(spec, { isNew: true }))).toEqual(["0000:00:10.0"]);
  });
});

import { describe, expect, it } from "vitest";
import type { ChangesDevices } from "../../../../../agent/drivers/abilities/devices.js";
import { type MachineChanges, QemuChanges } from "../../../../../agent/drivers/qemu/changes.js";
import { placeDevices } from "../../../../../agent/drivers/qemu/placement.js";
import { Instance, type InstanceSpec } from "../../../../../proto/gen/zor/v1/instance.js";

/** What is done with devices, as far as placing goes; nothing else is asked for here. */
const devices = {
  placeLive: (spec: InstanceSpec) => placeDevices(spec, { isNew: false, isLive: true }),
} as Pick<ChangesDevices, "placeLive"> as ChangesDevices;
const changes = new QemuChanges({ devices } as Pick<MachineChanges, "devices"> as MachineChanges);

function specOf(qemu: object, nics: readonly object[] = []): InstanceSpec {
  const { spec } = Instance.fromJSON({ spec: { nics, qemu: { kernel: "micro", ...qemu } } });
  if (spec === undefined) throw new Error("the spec is there");
  return spec;
}

/** A machine as it was made, and what is wanted of it, settled. */
function settled(was: InstanceSpec, wanted: InstanceSpec, isLive = true) {
  const before = placeDevices(was, { isNew: true });
  // The instance layer knows interfaces by their names.
  const nics = wanted.nics.map((nic) => before.nics.find(({ name }) => name === nic.name) ?? nic);
  return { before, after: changes.settle({ before, after: { ...wanted, nics }, isLive }) };
}

const disk = { image: "a.qcow2", persistent: true, sizeMib: "100" };

describe("a change of disks", () => {
  const timing = (next: readonly object[], isRunning = true, was: readonly object[] = [disk]) =>
    changes.timingOf({
      path: "qemu.disks",
      ...settled(specOf({ disks: was }), specOf({ disks: next }), isRunning),
      isRunning,
    });

  it.each<[string, readonly object[], string]>([
    ["one more", [disk, { sizeMib: "50", persistent: true }], "now"],
    ["bounds", [{ ...disk, limits: { iops: "10" } }], "now"],
    ["a larger one", [{ ...disk, sizeMib: "200" }], "now"],
    ["another cache", [{ ...disk, cache: "none" }], "next-start"],
    ["a smaller one", [{ ...disk, name: "disk0", sizeMib: "50" }], "never"],
    ["another image", [{ ...disk, name: "disk0", image: "b.qcow2" }], "never"],
    ["a bus that nothing can be added to", [disk, { ...disk, bus: "sata" }], "never"],
    ["the first one away, which has a place for good", [], "never"],
  ])("takes effect, for %s, %3$s", (_what, next, when) => {
    expect(timing(next).when).toBe(when);
  });

  it("adds and takes away what it likes while the machine is stopped", () => {
    expect(timing([disk, { ...disk, image: "b.qcow2", bus: "sata" }], false).when).toBe("now");
    expect(timing([], false).when).toBe("now");
  });
});

describe("a specification that is sent again", () => {
  it("keeps names and places of what it does not name, and gives new ones to what is new", () => {
    const was = specOf({ disks: [disk] }, [{ name: "eth0" }]);
    const { before, after } = settled(was, specOf({ disks: [disk, { sizeMib: "50" }] }, []));
    const [oldDisks, disks] = [before, after].map(({ driver }) => (driver?.$case === "qemu" ? driver.value.disks : []));
    expect(disks?.[0]).toEqual(oldDisks?.[0]);
    expect(disks?.[1]).toMatchObject({ name: "disk1", deviceAddress: expect.stringContaining("/") });
  });

  it("believes no address that people say", () => {
    const invented = { ...disk, name: "disk7", deviceAddress: "0000:00:1f.0" };
    const { after } = settled(specOf({ disks: [disk] }), specOf({ disks: [disk, invented] }), false);
    const added = after.driver?.$case === "qemu" ? after.driver.value.disks[1] : undefined;
    expect(added).toMatchObject({ name: "disk1", deviceAddress: "0000:00:11.0" });
  });
});

describe("a change of interfaces", () => {
  const eth0 = { name: "eth0", mac: "02:00:00:00:00:01" };
  const eth1 = { name: "eth1", mac: "02:00:00:00:00:02" };

  it("is made at once where the machine has a place to add one", () => {
    const { before, after } = settled(specOf({}, [eth0]), specOf({}, [eth0, eth1]));
    expect(changes.timingOf({ path: "nics.eth1", before, after, isRunning: true }).when).toBe("now");
    const none = settled(specOf({ hotplugPorts: 0 }, [eth0]), specOf({ hotplugPorts: 0 }, [eth0, eth1]));
    expect(changes.timingOf({ path: "nics.eth1", ...none, isRunning: true }).when).toBe("next-start");
  });

  it("waits for the next start where the interface has a place for good", () => {
    const whole = settled(specOf({}, [eth0, eth1]), specOf({}, [eth0]));
    expect(changes.timingOf({ path: "nics.eth1", ...whole, isRunning: true }).when).toBe("next-start");
  });
});

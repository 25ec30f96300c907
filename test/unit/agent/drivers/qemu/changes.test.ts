import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ChangesDevices, DiskAt } from "../../../../../agent/drivers/abilities/devices.js";
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

describe("a disk that is taken away", () => {
  /** A machine with two disks that loses those of that name; what is done with its devices. */
  async function losing(names: readonly string[], { refuses = "" } = {}) {
    const directory = await mkdtemp(join(tmpdir(), "zt-changes-"));
    const file = (name: string) => join(directory, "disks", `${name}.raw`);
    const disks = ["one", "two"].map((name) => ({ name, bus: "scsi", persistent: true, format: "raw", sizeMib: "1" }));
    const before = specOf({ disks });
    if (before.driver?.$case !== "qemu") throw new Error("it is a machine");
    const { value } = before.driver;
    const kept = value.disks.filter(({ name }) => !names.includes(name));
    const after: InstanceSpec = { ...before, driver: { $case: "qemu", value: { ...value, disks: kept } } };
    await mkdir(join(directory, "disks"));
    for (const name of ["one", "two"]) await writeFile(file(name), "data");
    const done: string[] = [];
    const recording = {
      unplugDisk: async (_instance: unknown, { index, areFilesKept }: DiskAt) => {
        if (value.disks[index]?.name === refuses) throw new Error("the guest does not let go");
        done.push(`unplug ${index} ${areFilesKept}`);
      },
      plugDisk: async (_instance: unknown, { index, areFilesKept }: DiskAt) => {
        done.push(`plug ${index} ${areFilesKept}`);
      },
    } as Pick<ChangesDevices, "plugDisk" | "unplugDisk"> as ChangesDevices;
    const made = {
      devices: recording,
      promiseDisk: async () => undefined,
      disksOptions: () => ({ directory }),
    } as Partial<Record<keyof MachineChanges, unknown>> as MachineChanges;
    return {
      subject: new QemuChanges(made),
      instance: { name: "hosts/h1/instances/vm1", id: "vm1", uid: "u", spec: before, directory },
      change: { before, after, paths: ["qemu.disks"], network: undefined },
      done,
      files: async () => (await readdir(join(directory, "disks"))).toSorted(),
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
    };
  }
  const options = { signal: new AbortController().signal };
  const handle = { pid: 1, startTicks: "1", extra: {} };

  it.each([
    ["runs", handle],
    ["is stopped", undefined],
  ])("keeps its file until that is written down, while the machine %s", async (_what, how) => {
    await using machine = await losing(["one"]);
    const { subject, instance, change } = machine;
    const takeBack = await subject.applyChange(instance, how, change, options);
    expect(await machine.files()).toEqual(["one.raw", "two.raw"]);
    await takeBack();
    expect(await machine.files()).toEqual(["one.raw", "two.raw"]);
    expect(machine.done).toEqual(how === undefined ? [] : ["unplug 0 true", "plug 0 true"]);
    await subject.applyChange(instance, how, change, options);
    for (const _ of ["once", "and again"]) await subject.finishChange(instance, change);
    expect(await machine.files()).toEqual(["two.raw"]);
  });

  it("comes back when the guest does not let go of another one", async () => {
    await using machine = await losing(["one", "two"], { refuses: "two" });
    const { subject, instance, change } = machine;
    await expect(subject.applyChange(instance, handle, change, options)).rejects.toThrow("does not let go");
    expect(machine.done).toEqual(["unplug 0 true", "plug 0 true"]);
    expect(await machine.files()).toEqual(["one.raw", "two.raw"]);
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

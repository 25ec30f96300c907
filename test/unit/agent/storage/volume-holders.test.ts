import { describe, expect, it } from "vitest";
import { VolumeHolders } from "../../../../agent/storage/volume-holders.js";

const [m1, m2] = ["hosts/h1/instances/m1", "hosts/h1/instances/m2"];
const named = (volume: string, readOnly = false, part = "disk0") => ({
  ...{ volume, readOnly, part },
  field: `instance.spec.qemu.disks[${part.slice(4)}].volume`,
});

describe("who has which volumes", () => {
  it("gives a volume that is written to one instance alone, at once", () => {
    const holders = new VolumeHolders();
    using _first = holders.claim(m1, [named("v1")]);
    expect(() => holders.claim(m2, [named("v1")])).toThrow(
      /m2: instance\.spec\.qemu\.disks\[0\]\.volume: volume v1 is disk0 of hosts\/h1\/instances\/m1/,
    );
    expect(() => holders.claim(m2, [named("v1", true)])).toThrow(/take it away there first/);
    expect(holders.of("v1")).toEqual([{ instance: m1, part: "disk0", readOnly: false }]);
  });

  it("lets any number read one, and nobody write it meanwhile", () => {
    const holders = new VolumeHolders();
    holders.set(m1, [named("v1", true)]);
    using _second = holders.claim(m2, [named("v1", true)]);
    expect(holders.of("v1")).toHaveLength(2);
    expect(() => holders.claim("hosts/h1/instances/m3", [named("v1")])).toThrow(/read only/);
  });

  it("gives none twice to the same instance", () => {
    const holders = new VolumeHolders();
    expect(() => holders.claim(m1, [named("v1"), named("v1", false, "disk1")])).toThrow(/another disk of the same/);
  });

  it("takes back what was claimed and is not in the specification, and tells of it", () => {
    const holders = new VolumeHolders();
    const told: string[] = [];
    holders.onChange((volume) => told.push(volume));
    holders.set(m1, [named("v1")]);
    {
      using _more = holders.claim(m1, [named("v1"), named("v2", false, "disk1")]);
      expect(holders.volumesOf(m1)).toEqual(["v1", "v2"]);
    }
    expect(holders.of("v2")).toEqual([]);
    expect(holders.of("v1")).toHaveLength(1);
    holders.set(m1, []);
    expect(holders.of("v1")).toEqual([]);
    expect(new Set(told)).toEqual(new Set(["v1", "v2"]));
  });
});

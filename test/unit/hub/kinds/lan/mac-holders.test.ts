import { describe, expect, it } from "vitest";
import type { PluggedNic } from "../../../../../hub/kinds/lan/find-duplicates.js";
import { MacHolders } from "../../../../../hub/kinds/lan/mac-holders.js";

const [first, second] = ["52:00:00:00:00:01", "52:00:00:00:00:02"];
const nic = (instance: string, name: string, mac: string): PluggedNic => ({
  name: `${instance}/nics/${name}`,
  mac,
  lan: "hosts/a/lans/lan1",
});

/** Instances with what follows them. */
function world() {
  const nics = new Map<string, readonly PluggedNic[]>();
  const holders = new MacHolders((instance) => nics.get(instance) ?? []);
  const set = (instance: string, ...macs: string[]): boolean => {
    const before = nics.get(instance) ?? [];
    const after = macs.map((mac, at) => nic(instance, `eth${at}`, mac));
    nics.set(instance, after);
    return holders.replace(instance, before, after);
  };
  const shared = (): string[] =>
    holders
      .shared()
      .map(({ name }) => name)
      .sort();
  return { set, shared };
}

describe("the holders of MACs", () => {
  it("know what is had once, twice, and once again", () => {
    const { set, shared } = world();
    expect(set("vm1", first)).toBe(false);
    expect(set("vm2", second)).toBe(false);
    expect(shared()).toEqual([]);
    expect(set("vm3", first)).toBe(true);
    expect(shared()).toEqual(["vm1/nics/eth0", "vm3/nics/eth0"]);
    expect(set("vm4", first)).toBe(true);
    expect(set("vm1")).toBe(true);
    expect(shared()).toEqual(["vm3/nics/eth0", "vm4/nics/eth0"]);
    expect(set("vm4", second)).toBe(true);
    expect(shared()).toEqual(["vm2/nics/eth0", "vm4/nics/eth0"]);
    expect(set("vm2")).toBe(true);
    expect(shared()).toEqual([]);
    expect(set("vm3")).toBe(false);
  });

  it("know a MAC that one instance has twice", () => {
    const { set, shared } = world();
    expect(set("vm1", first, first)).toBe(true);
    expect(shared()).toEqual(["vm1/nics/eth0", "vm1/nics/eth1"]);
    expect(set("vm2", first)).toBe(true);
    expect(set("vm2")).toBe(true);
    expect(shared()).toEqual(["vm1/nics/eth0", "vm1/nics/eth1"]);
    expect(set("vm1", first, second)).toBe(true);
    expect(shared()).toEqual([]);
  });

  it("take what is no MAC for what it is", () => {
    const { set, shared } = world();
    set("vm1", "anything");
    expect(set("vm2", "something")).toBe(false);
    expect(set("vm2", "anything")).toBe(true);
    expect(shared()).toHaveLength(2);
  });
});

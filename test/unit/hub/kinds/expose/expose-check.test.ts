import { describe, expect, it } from "vitest";
import {
  checkExposeChange,
  checkExposeFields,
  limitsOf,
  refusalOf,
} from "../../../../../hub/kinds/expose/expose-check.js";
import { toDuration } from "../../../../../lib/duration.js";
import { Expose, ExposeSpec } from "../../../../../proto/gen/zor/v1/expose.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";

const good = { instance: "hosts/alpha/instances/web", port: 80 };
const check = (spec: object) => checkExposeFields("exposes/e", Expose.fromPartial({ spec: { ...good, ...spec } }));
const seconds = (count: number) => ({ idleTimeout: toDuration(count * 1000) });

describe("what an expose may be", () => {
  it.each([
    {},
    { address: "10.0.0.2" },
    { address: "::1" },
    { address: "fd00::2", nic: "eth1" },
    { listen: "127.0.0.1:8080" },
    { listen: "0.0.0.0:0" },
    { maxConnections: 1024 },
  ])("takes %j", (spec) => {
    expect(check(spec)).toMatchObject(spec);
  });

  it("takes times of silence from 1 second to 7 days, and no others", () => {
    const isTaken = (count: number) => {
      try {
        return check(seconds(count)).port === 80;
      } catch (error) {
        expect(error).toMatchObject({ violations: [{ field: "expose.spec.idle_timeout" }] });
        return false;
      }
    };
    expect([-1, 0, 0.5, 1, 604_800, 604_801].map(isTaken)).toEqual([false, false, false, true, true, false]);
  });

  it.each([
    [{ instance: "" }, "instance"],
    [{ instance: "hosts/alpha/lans/web" }, "instance"],
    [{ instance: "hosts/-/instances/web" }, "instance"],
    [{ port: 0 }, "port"],
    [{ port: 65_536 }, "port"],
    [{ address: "web" }, "address"],
    [{ address: "fe80::1%eth0" }, "address"],
    [{ address: "127.0.0.1", nic: "eth0" }, "address"],
    [{ nic: "a b" }, "nic"],
    [{ listen: "8080" }, "listen"],
    [{ listen: "localhost:8080" }, "listen"],
    [{ listen: "[::1]:8080" }, "listen"],
    [{ listen: "127.0.0.1:65536" }, "listen"],
    [{ maxConnections: -1 }, "max_connections"],
    [{ maxConnections: 1025 }, "max_connections"],
  ])("refuses %j by name", (spec, field) => {
    expect(() => check(spec)).toThrow(
      expect.objectContaining({ violations: [expect.objectContaining({ field: `expose.spec.${field}` })] }),
    );
  });

  it("has no other instance and no other place once it is made", () => {
    const before = ExposeSpec.fromPartial({ ...good, listen: "127.0.0.1:8080" });
    const change = (spec: object) =>
      checkExposeChange("exposes/e", before, ExposeSpec.fromPartial({ ...before, ...spec }));
    expect(() => change({ port: 81, address: "10.0.0.2", maxConnections: 1 })).not.toThrow();
    expect(() => change({ instance: "hosts/alpha/instances/db" })).toThrow("expose.spec.instance");
    expect(() => change({ listen: "" })).toThrow("expose.spec.listen");
  });

  it("has limits of its own, or the usual ones", () => {
    expect(limitsOf(check({}))).toEqual({ most: 256, idleMs: 86_400_000 });
    expect(limitsOf(check({ maxConnections: 3, ...seconds(60) }))).toEqual({ most: 3, idleMs: 60_000 });
  });
});

describe("what an expose may lead to", () => {
  const nics = [
    { name: "eth0", lan: "lan1", addresses: ["10.0.0.2/24", "fd00::2/64"] },
    { name: "eth1", lan: "" },
  ];
  const there = Instance.fromPartial({ spec: { nics } });
  const refusal = (spec: object, instance = there) => refusalOf(check(spec), instance);

  it.each([
    {},
    { address: "127.0.0.1" },
    { address: "::1" },
    { address: "10.0.0.2" },
    { address: "fd00::2", nic: "eth0" },
  ])("is the instance's own server: %j", (spec) => {
    expect(refusal(spec)).toBe("");
  });

  it.each(["10.0.0.1", "169.254.169.254", "192.0.2.1", "0.0.0.0", "fd00::1"])("is not at %s", (address) => {
    expect(refusal({ address })).toContain("10.0.0.2, fd00::2");
  });

  it("needs the NIC it comes through, and says which there are", () => {
    expect(refusal({ nic: "eth9" })).toContain("it has eth0, eth1");
    expect(refusal({ nic: "eth9" }, Instance.fromPartial({}))).toContain("it has none");
    expect(refusal({ address: "10.0.0.2" }, Instance.fromPartial({}))).toContain("gives its NICs none");
  });
});

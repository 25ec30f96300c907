import { beforeEach, expect, test } from "vitest";
import type { WireConfig } from "../../../../agent/network/wires/wire-ends.js";
import { Wires } from "../../../../agent/network/wires/wires.js";
import { createLog } from "../../../../lib/log.js";
import { FakeForwarder } from "../../../fakes/forwarder.js";

const nic = (instance: string): string => `hosts/h1/instances/${instance}/nics/eth1`;
const veth = (port: string) => ({ port, mtu: 1500, isVeth: true });
const wire = (change: Partial<WireConfig> = {}): WireConfig => ({
  ...{ name: "hosts/h1/wires/w1", uid: "w1", cut: false, keepCarrier: false, mtu: 1500 },
  ...{ a: nic("r1"), b: nic("r2") },
  ...change,
});

let forwarder: FakeForwarder;
let carrier: Map<string, boolean>;
let wires: Wires;

beforeEach(() => {
  forwarder = new FakeForwarder();
  carrier = new Map();
  wires = new Wires({
    forwarder,
    setCarrier: async (port, up) => void carrier.set(port, up),
    log: createLog("test", { write: () => undefined }),
  });
});

test("two NICs are joined as soon as both are there, and have carrier from then on", async () => {
  await wires.settle();
  await wires.ensure(wire());
  await wires.appeared(nic("r1"), veth("p1"));
  expect(forwarder.joined.size).toBe(0);
  expect(carrier.get("p1")).toBe(false);
  await wires.appeared(nic("r2"), veth("p2"));
  expect(forwarder.joined.get("w1")).toEqual({ a: "p1", b: "p2" });
  expect([carrier.get("p1"), carrier.get("p2")]).toEqual([true, true]);
  expect(wires.observe("w1")?.fault).toBe("");
});

test("carrier stays as it is until it is known what runs", async () => {
  await wires.ensure(wire());
  await wires.appeared(nic("r1"), veth("p1"));
  expect(wires.carrierOf(nic("r1"))).toBeUndefined();
  expect(carrier.size).toBe(0);
  await wires.settle();
  expect(carrier.get("p1")).toBe(false);
});

test("a NIC is in one wire or one lan, and the refusal names the holder", async () => {
  await wires.settle();
  await wires.ensure(wire());
  await expect(
    wires.ensure(wire({ name: "hosts/h1/wires/w2", uid: "w2", a: nic("r3"), b: nic("r2") })),
  ).rejects.toMatchObject({ reason: "NIC_PLUGGED", message: expect.stringContaining("hosts/h1/wires/w1") });
  expect(wires.holderOf(nic("r3"))).toBe("");
  expect(() => wires.enterLan(nic("r1"), "lan1")).toThrow("hosts/h1/wires/w1");
  wires.enterLan(nic("r4"), "lan1");
  await expect(wires.ensure(wire({ b: nic("r4") }))).rejects.toMatchObject({
    reason: "NIC_PLUGGED",
    message: expect.stringContaining("lan1"),
  });
  expect(wires.holderOf(nic("r2"))).toBe("hosts/h1/wires/w1");
});

test("the driver of a machine is told to show carrier anew", async () => {
  await wires.settle();
  await wires.ensure(wire());
  const told: string[] = [];
  wires.onCarrier((each) => told.push(`${each} ${wires.carrierOf(each)}`));
  await wires.appeared(nic("r1"), { port: "p1", mtu: 1500, isVeth: false });
  await wires.appeared(nic("r2"), veth("p2"));
  await wires.vanished(nic("r2"));
  expect(told).toEqual([`${nic("r1")} false`, `${nic("r1")} true`, `${nic("r1")} false`]);
});

test("a split wire is joined through its middle as soon as that is known, and from NIC to NIC when it is split no more", async () => {
  await wires.settle();
  await wires.ensure(wire());
  for (const [instance, port] of [
    ["r1", "p1"],
    ["r2", "p2"],
  ] as const)
    await wires.appeared(nic(instance), veth(port));
  await wires.ensure(wire({ isSplit: true }));
  // What impairs the frames is not there yet: they go on.
  expect([...forwarder.joined]).toEqual([["w1", { a: "p1", b: "p2" }]]);
  await wires.setMiddle("w1", { a: "m1", b: "m2" });
  expect([...forwarder.joined.values()]).toEqual([
    { a: "p1", b: "m1" },
    { a: "p2", b: "m2" },
  ]);
  expect(wires.observe("w1")).toMatchObject({ fault: "", a: { carrier: true }, b: { carrier: true } });
  await wires.ensure(wire({ isSplit: true, cut: true }));
  expect(forwarder.joined.size).toBe(0);
  await wires.ensure(wire());
  expect([...forwarder.joined]).toEqual([["w1", { a: "p1", b: "p2" }]]);
  await wires.ensure(wire({ isSplit: true }));
  await wires.remove("w1");
  expect(forwarder.joined.size).toBe(0);
});

test("who keeps an end is told when a wire has it and when it has not, and what it refuses changes nothing", async () => {
  const told: string[] = [];
  let isRefused = false;
  wires.keep("phys", {
    examine: async () => undefined,
    follow: async (end) => {
      told.push(`${end} ${wires.holderOf(end)}`);
      if (isRefused && wires.holderOf(end) !== "") throw new Error("it is guarded");
    },
  });
  await wires.settle();
  await wires.settle("phys");
  await wires.ensure(wire({ b: "hosts/h1/phys/p1" }));
  await wires.remove("w1");
  expect(told).toEqual(["hosts/h1/phys/p1 hosts/h1/wires/w1", "hosts/h1/phys/p1 "]);
  isRefused = true;
  await wires.ensure(wire({ b: "" }));
  await expect(wires.ensure(wire({ b: "hosts/h1/phys/p1" }))).rejects.toThrow("it is guarded");
  expect(wires.holderOf("hosts/h1/phys/p1")).toBe("");
  expect(wires.holderOf(nic("r1"))).toBe("hosts/h1/wires/w1");
});

test("an end without a cable takes the carrier of the other one, takes up the wire's MTU at once, and may be a lan", async () => {
  let hasCable = true;
  const mtus: number[] = [];
  const [phy, lan] = ["hosts/h1/phys/p1", "hosts/h1/lans/lan1#w1"];
  await wires.settle();
  await wires.ensure(wire({ b: phy, mtu: 9000 }));
  await wires.appeared(nic("r1"), veth("p1"));
  // It may only not have been looked for yet.
  expect(wires.carrierOf(nic("r1"))).toBeUndefined();
  const setMtu = async (mtu: number): Promise<void> => void mtus.push(mtu);
  await wires.appeared(phy, { ...veth("p2"), hasCable: () => hasCable, setMtu });
  expect(mtus).toEqual([9000]);
  expect(wires.observe("w1")).toMatchObject({ fault: "", b: { mtu: 9000, carrier: true } });
  hasCable = false;
  expect(wires.carrierOf(nic("r1"))).toBe(false);
  expect(wires.carrierOf(phy)).toBe(true);
  expect(wires.observe("w1")?.fault).toContain(`${phy}: no cable is in it`);
  await wires.ensure(wire({ b: lan }));
  expect(wires.observe("w1")?.fault).toBe("hosts/h1/lans/lan1: its port in the lan is gone");
  await wires.appeared(lan, { ...veth("p3"), isAlwaysUp: true });
  expect(wires.observe("w1")).toMatchObject({ fault: "", b: { carrier: true } });
  expect(carrier.has("p3")).toBe(false);
});

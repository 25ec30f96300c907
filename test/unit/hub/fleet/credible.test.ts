import { describe, expect, test } from "vitest";
import { findLie, findLieInAnswer, findLieOfRemoval } from "../../../../hub/fleet/credible.js";
import { HostBounds } from "../../../../hub/fleet/host-bounds.js";
import { type AnyResource, pack } from "../../../../lib/kinds/resource.js";
import { A2b } from "../../../../proto/gen/zor/v1/a2b.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { Instance } from "../../../../proto/gen/zor/v1/instance.js";
import { Lan } from "../../../../proto/gen/zor/v1/lan.js";
import { Link } from "../../../../proto/gen/zor/v1/link.js";
import { Operation } from "../../../../proto/gen/zor/v1/operation.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";

const instance = (name: string, more: object = {}): AnyResource => ({
  kind: "instance",
  value: Instance.fromPartial({ name, ...more }),
});
const vm1 = "hosts/gamma/instances/vm1";
const operation = (target: string): AnyResource => ({
  kind: "operation",
  value: Operation.fromPartial({ name: "hosts/gamma/operations/o1", target }),
});
const event = (resource: string, more: Partial<Event> = {}): AnyResource => ({
  kind: "event",
  value: Event.fromPartial({ name: "hosts/gamma/events/e-1", type: "instance.started", resource, ...more }),
});
const lan = (endpoint: string): AnyResource => ({
  kind: "lan",
  value: Lan.fromPartial({ name: "hosts/gamma/lans/l", status: { ports: [{ endpoint }] } }),
});
const box = (lanA: string): AnyResource => ({
  kind: "a2b",
  value: A2b.fromPartial({ name: "hosts/gamma/a2bs/b", spec: { lanA, lanB: "l2" } }),
});

test.each<[string, AnyResource]>([
  ["an instance of its own", instance(vm1, { spec: { nics: [{ name: "eth0", lan: "lan1" }] } })],
  ["a NIC in no lan", instance(vm1, { status: { nics: [{ name: "eth0", lan: "" }] } })],
  ["its own host", { kind: "host", value: Host.fromPartial({ name: "hosts/gamma" }) }],
  ["an operation on its instance", operation(vm1)],
  ["an event of its host", event("hosts/gamma")],
  ["an event of a link that ends in it", event("links/demo")],
  ["a NIC of its own in its lan", lan(`${vm1}/nics/eth0`)],
  ["a link in its lan", lan("links/demo")],
  ["what reaches an instance by its lan", lan(`${vm1}/neighbours/neighbour-83e2d2bdd463904c/nics/eth0`)],
  ["a box between its lans", box("l1")],
])("an agent is believed %s", (_what, resource) => {
  expect(findLie("gamma", resource)).toBeUndefined();
});

test.each<[string, AnyResource]>([
  ["an instance of another host", instance("hosts/beta/instances/vm2")],
  ["an instance of a host whose name begins alike", instance("hosts/gamma2/instances/vm2")],
  ["what reaches an instance of another host", lan("hosts/beta/instances/vm2/neighbours/n1/nics/eth0")],
  ["what reaches nothing that has a name", lan(`${vm1}/neighbours/../nics/eth0`)],
  ["what reaches, without an end", lan(`${vm1}/neighbours/n1/nics`)],
  ["a name that climbs", instance("hosts/gamma/instances/../../beta/instances/vm2")],
  ["a name with more below it", instance("hosts/gamma/instances/vm1/nics/eth0")],
  ["a name of another kind", instance("hosts/gamma/lans/vm1")],
  ["a name with an escape", instance("hosts/gamma/instances/\u001b[2J")],
  ["a name like an option", instance("hosts/gamma/instances/-rf")],
  ["no name", instance("")],
  ["a NIC with a bad lan", instance(vm1, { spec: { nics: [{ name: "eth0", lan: "../x" }] } })],
  ["a NIC with a bad name", instance(vm1, { status: { nics: [{ name: "e/0" }] } })],
  ["a time that is none", instance(vm1, { createTime: new Date(Number.NaN) })],
  ["a text of a megabyte", instance(vm1, { status: { reason: "x".repeat(1 << 20) } })],
  [
    "many labels",
    instance(vm1, { labels: Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`k${at}`, "v"])) }),
  ],
  ["another host", { kind: "host", value: Host.fromPartial({ name: "hosts/beta" }) }],
  ["a link", { kind: "link", value: Link.fromPartial({ name: "links/demo" }) }],
  ["an operation on another host", operation("hosts/beta/instances/vm2")],
  ["an operation on a link", operation("links/demo")],
  ["an event of another host", event("hosts/beta/instances/vm2")],
  ["an event of no type", event("hosts/gamma", { type: "x".repeat(60_000) })],
  ["an event of a caller who is none", event("hosts/gamma", { caller: "x".repeat(60_000) })],
  ["somebody else's NIC in its lan", lan("hosts/beta/instances/vm2/nics/eth0")],
  ["something that is no name in its lan", lan("links/../hosts/beta")],
  ["a box with a bad lan", box("hosts/beta/lans/l1")],
  [
    "a number that is none",
    { kind: "host", value: Host.fromPartial({ name: "hosts/gamma", summary: { loadAverage: Number.NaN } }) },
  ],
])("an agent is not believed %s", (_what, resource) => {
  expect(findLie("gamma", resource)).toEqual(expect.any(String));
});

test("an agent removes nothing of others", () => {
  const kind = "instance";
  expect(findLieOfRemoval("gamma", kind, vm1)).toBeUndefined();
  for (const name of ["hosts/beta/instances/vm2", "hosts/gamma/instances/../x", "hosts/gamma/lans/l", "links/demo"]) {
    expect(findLieOfRemoval("gamma", kind, name), name).toEqual(expect.any(String));
  }
  expect(findLieOfRemoval("gamma", "link", "links/demo")).toEqual(expect.any(String));
});

test("an agent answers of its own host", () => {
  const answer = (name: string) => ({ instance: Instance.fromPartial({ name }) });
  expect(findLieInAnswer("gamma", answer(vm1))).toBeUndefined();
  expect(findLieInAnswer("gamma", {})).toBeUndefined();
  expect(findLieInAnswer("gamma", { operation: undefined })).toBeUndefined();
  expect(findLieInAnswer("gamma", answer("hosts/beta/instances/vm2"))).toEqual(expect.any(String));
  const operation = Operation.fromPartial({ name: "hosts/beta/operations/o1", target: vm1 });
  expect(findLieInAnswer("gamma", { operation })).toEqual(expect.any(String));
});

describe("what one host may have the hub keep", () => {
  test("is bounded in number, and room comes back with what is gone", () => {
    const bounds = new HostBounds();
    const named = (index: number) => instance(`hosts/gamma/instances/vm${index}`);
    for (let index = 0; index < 4_000; index += 1) expect(bounds.add(named(index))).toBeUndefined();
    expect(bounds.add(named(4_000))).toContain("more than 4000");
    expect(bounds.add(named(3))).toBeUndefined();
    bounds.remove("hosts/gamma/instances/vm3");
    expect(bounds.add(named(4_000))).toBeUndefined();
    bounds.retainOnly(new Set());
    expect(bounds.add(named(5_000))).toBeUndefined();
  });

  test("is bounded in bytes, whatever they are of", () => {
    const bounds = new HostBounds();
    const large = (index: number) =>
      instance(`hosts/gamma/instances/vm${index}`, { labels: { a: "x".repeat(60_000) } });
    let taken = 0;
    while (taken < 4_000 && bounds.add(large(taken)) === undefined) taken += 1;
    expect(taken).toBeGreaterThan(1_000);
    expect(taken).toBeLessThan(1_200);
    bounds.remove("hosts/gamma/instances/vm0");
    expect(bounds.add(large(taken))).toBeUndefined();
  });

  test("is bounded in events a second", () => {
    let nowMs = 0;
    const bounds = new HostBounds(() => nowMs);
    const take = (): number => {
      let taken = 0;
      while (bounds.add(event("hosts/gamma")) === undefined) taken += 1;
      return taken;
    };
    expect(take()).toBe(600);
    nowMs += 1_000;
    expect(take()).toBe(20);
    nowMs += 3_600_000;
    expect(take()).toBe(600);
  });
});

describe("an operation's result", () => {
  const made = (result: ReturnType<typeof pack>): AnyResource => ({
    kind: "operation",
    value: Operation.fromPartial({ name: "hosts/gamma/operations/o1", target: vm1, result }),
  });

  test("is believed when it is of the host", () => {
    expect(findLie("gamma", made(pack(instance(vm1))))).toBeUndefined();
    const unknown = { typeUrl: "type.googleapis.com/zor.v9.Wire", value: Buffer.from([1, 2, 3]) };
    expect(findLie("gamma", made(unknown))).toBeUndefined();
  });

  test.each([
    ["of another host", pack(instance("hosts/beta/instances/vm2"))],
    ["of the hub", pack({ kind: "link", value: Link.fromPartial({ name: "links/demo" }) })],
    ["an operation", pack(operation(vm1))],
    ["no message at all", { typeUrl: "type.googleapis.com/zor.v1.Instance", value: Buffer.from([10, 200, 1]) }],
  ])("is not believed when it is %s", (_what, result) => {
    expect(findLie("gamma", made(result))).toContain("result");
    expect(findLieInAnswer("gamma", { operation: made(result).value })).toContain("result");
  });

  test("may be of a request that was only checked, whose operation has no name", () => {
    const checked = Operation.fromPartial({ target: vm1 });
    expect(findLieInAnswer("gamma", { operation: checked })).toBeUndefined();
    expect(findLieInAnswer("gamma", { operation: Operation.fromPartial({ target: "hosts/beta" }) })).toBeDefined();
  });
});

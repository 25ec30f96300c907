import { expect, it } from "vitest";
import type { EventDraft } from "../../../../agent/kit/events.js";
import { Healing } from "../../../../agent/kit/healing.js";
import type { Kept, Whole } from "../../../../agent/kit/kind.js";
import { Tap } from "../../../../proto/gen/zor/v1/tap.js";

/** One resource, of which something is missing or not. */
function rig() {
  const tap = Tap.fromPartial({ name: "hosts/h1/taps/t1", uid: "u1", spec: {} }) as Whole<Tap>; // it has a spec
  const events: EventDraft[] = [];
  const logged: string[] = [];
  const host = { missing: "", fails: "", made: 0 };
  const publisher = { event: (event: EventDraft) => void events.push(event) };
  const context = { publisher, logError: (_error: unknown, message: string) => void logged.push(message) };
  const healing = new Healing<Tap>(context as unknown as ConstructorParameters<typeof Healing<Tap>>[0], {
    ...{ kind: "tap", told: "the taps" },
    missing: () => host.missing,
    ensure: async () => {
      if (host.fails !== "") throw new Error(host.fails);
      host.made += 1;
      host.missing = "";
    },
  });
  const kept = {
    all: () => [{ resource: tap, carrying: { generation: "g1" } }],
    exclusively: (work: () => Promise<void>) => work(),
  } as unknown as Kept<Tap>;
  return { host, events, logged, healing, look: () => healing.run(kept) };
}

it("leaves alone what is whole, and knows nothing before it has looked", async () => {
  const { host, events, healing, look } = rig();
  expect(healing.faultOf("u1")).toBeUndefined();
  await look();
  expect(healing.faultOf("u1")).toBe("");
  expect([host.made, events]).toEqual([0, []]);
});

it("makes again what is missing, and tells it once", async () => {
  const { host, events, healing, look } = rig();
  host.missing = "its port is gone";
  await look();
  await look();
  expect(healing.faultOf("u1")).toBe("");
  expect(host.made).toBe(1);
  expect(events).toMatchObject([
    { type: "tap.healed", resource: "hosts/h1/taps/t1", message: "its port is gone; it was made again" },
  ]);
});

it("says why it cannot be made again, logs that once, and tries on", async () => {
  const { host, events, logged, healing, look } = rig();
  host.missing = "its port is gone";
  host.fails = "there is no lan";
  await look();
  await look();
  expect(healing.faultOf("u1")).toBe("its port is gone: there is no lan");
  expect([logged.length, events]).toEqual([1, []]);
  host.fails = "";
  await look();
  expect(healing.faultOf("u1")).toBe("");
  expect(events).toHaveLength(1);
  healing.forget("u1");
  expect(healing.faultOf("u1")).toBeUndefined();
});

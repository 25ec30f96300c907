import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failedPrecondition } from "../../../lib/errors.js";
import { EchoDriver } from "../../extension/echo-driver.js";
import { GaugeRack } from "../../extension/gauge-agent-kind.js";
import { makeLan, startAgentWorld } from "./agent-world.js";
import { describeKind, type KindWorld } from "./contract.js";
import { bridge, echo, gauge, instance, lan, nat, phy, tap, vtep, wire } from "./subjects.js";
import { Verbs } from "./verbs.js";

const server = "an agent";

describeKind({ ...gauge, server, start: () => startAgentWorld() });
describeKind({ ...lan, server, start: () => startAgentWorld() });
describeKind({ ...nat, server, start: () => startAgentWorld() });
describeKind({ ...tap, server, start: () => startAgentWorld() });
describeKind({ ...phy, server, start: () => startAgentWorld() });
describeKind({ ...bridge, server, start: () => startAgentWorld() });
describeKind({ ...vtep, server, start: () => startAgentWorld() });
describeKind({ ...instance, server, start: () => startAgentWorld() });
describeKind({ ...wire, server, start: () => startAgentWorld() });
const driver = new EchoDriver();
describeKind({ ...echo, server: "an agent with a driver of the tests' own", start: () => startAgentWorld([driver]) });

describe("a kind that refers to another", () => {
  let world: KindWorld;
  const rack = new GaugeRack();
  const gauges = (): Verbs => new Verbs("gauge", world.operator(), world.parent);
  const lans = (): Verbs => new Verbs("lan", world.operator(), world.parent);

  beforeAll(async () => {
    world = await startAgentWorld(undefined, rack);
  });
  afterAll(() => world.close());

  test("is made once what it refers to is there, which then stays as long as it does", async () => {
    await expect(gauges().create("g1", { spec: { lan: "lan1" } })).rejects.toMatchObject({
      code: status.NOT_FOUND,
      message: expect.stringContaining("hosts/h1/lans/lan1"),
    });
    await makeLan(world, "lan1");
    await gauges().create("g1", { spec: { lan: "lan1" } });
    await expect(lans().delete("lan1")).rejects.toMatchObject({
      reason: "LAN_IN_USE",
      message: expect.stringContaining("hosts/h1/gauges/g1"),
    });
    await gauges().update("g1", { spec: { lan: "" } }, { updateMask: ["spec.lan"] });
    await lans().delete("lan1");
    await gauges().delete("g1");
  });

  test("leaves nothing of one that could not be made", async () => {
    rack.failNext = failedPrecondition("RACK_OPEN", "hosts/h1/gauges/g2", "the rack is open");
    await expect(gauges().create("g2", { spec: {} })).rejects.toMatchObject({
      reason: "RACK_OPEN",
      message: expect.stringContaining("the rack is open"),
    });
    await expect(gauges().get("g2")).rejects.toMatchObject({ code: status.NOT_FOUND });
    expect(rack.readings.size).toBe(0);
    await world.restart();
    expect((await gauges().list()).resources).toEqual([]);
    await gauges().create("g2", { spec: {} });
  });
});

import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import type { TestHost } from "../c2c/two-hosts.js";
import { copying, moving } from "./copying.js";
import { blackhole, cutUnderlay, resetConnections } from "./faults.js";
import { copySlowly } from "./slow-underlay.js";
import { killed } from "../../helpers/killed.js";

const mebibyte = 1024 * 1024;

/** Waits until the end is down, and returns why. */
async function downReason(host: TestHost): Promise<string> {
  return eventually(() => {
    const { phase, reason } = host.end();
    expect(phase).toBe("down");
    return reason;
  });
}

describe.concurrent("a TCP copy through a cable survives", () => {
  test("a cut of the underlay for a second, and the cable does not even go down", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte });
    const mend = await cutUnderlay(hosts.a);
    await delay(1_000);
    await mend();
    expect(copy.ended()).toBe(false);
    await copy.done;
    expect(hosts.hosts.map((host) => host.end().connects)).toEqual([1, 1]);
    await hosts.active();
  });

  test("a minute of 300 ms and 5 % loss in each direction, and the cable does not flap", async (context) => {
    const pace = { bytes: mebibyte / 2, bytesPerSecond: mebibyte / 128 };
    const { hosts, states } = await copySlowly(context, pace);
    for (const seen of states) expect(seen).toEqual(["active"]);
    for (const host of hosts.hosts) {
      expect(host.end().connects).toBe(1);
      expect(host.end().rttMs).toBeGreaterThanOrEqual(300);
    }
  });

  test("a cut of the underlay for 30 seconds, which both ends tell with the reason", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte });
    const mend = await cutUnderlay(hosts.a);
    const mended = delay(30_000).then(mend);
    for (const host of hosts.hosts) expect(await downReason(host)).not.toBe("");
    await eventually(() => expect(hosts.b.end().nextTryMs).toBeGreaterThan(Date.now()));
    await mended;
    expect(copy.ended()).toBe(false);
    await hosts.active();
    await copy.done;
  });

  test("a blackhole between the hosts, which answers nothing", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte });
    const ends = [await blackhole(hosts.a, hosts.b), await blackhole(hosts.b, hosts.a)];
    for (const host of hosts.hosts) expect(await downReason(host)).toMatch(/nothing was heard|did not answer|in \d+ s/);
    for (const end of ends) await end();
    expect(copy.ended()).toBe(false);
    await hosts.active();
    await copy.done;
  });

  test.for([
    ["to the listener", "a", "b"],
    ["to the dialer", "b", "a"],
  ] as const)("the loss of the one direction %s, at which neither end says it is up", async ([, from, to], context) => {
    const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte });
    const end = await blackhole(hosts[from], hosts[to]);
    for (const host of hosts.hosts) await eventually(() => expect(host.end().phase).not.toBe("active"));
    await downReason(hosts[to]);
    await end();
    expect(copy.ended()).toBe(false);
    await hosts.active();
    await copy.done;
  });

  test("resets of the connection, one after the other", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 32 * mebibyte });
    for (const [host, peer] of [
      [hosts.a, hosts.b],
      [hosts.b, hosts.a],
      [hosts.a, hosts.b],
    ] as const) {
      const { connects } = hosts.b.end();
      await resetConnections(host, peer);
      await eventually(() => expect(hosts.b.end().connects).toBeGreaterThan(connects));
      await hosts.active();
      await moving(hosts);
    }
    await copy.done;
  });

  test("the death of either engine", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 32 * mebibyte });
    for (const host of hosts.hosts) {
      const { enginePid } = host.cables;
      await killed(enginePid);
      await eventually(() => expect(host.cables.enginePid).not.toBe(enginePid));
      await hosts.active();
      await moving(hosts);
    }
    await copy.done;
  });
});

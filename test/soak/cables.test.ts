import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { eventually } from "../helpers/eventually.js";
import { copying } from "../integration/c2c-faults/copying.js";
import { cutUnderlay } from "../integration/c2c-faults/faults.js";
import { expectNothingLeftAfter } from "../integration/c2c-faults/link-waves.js";
import { copySlowly } from "../integration/c2c-faults/slow-underlay.js";

const mebibyte = 1024 * 1024;
const minutesMs = 60_000;

describe.concurrent("a TCP copy through a cable survives", () => {
  test("five minutes without underlay", async (context) => {
    const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte, timeoutMs: 15 * minutesMs });
    const mend = await cutUnderlay(hosts.a);
    for (const host of hosts.hosts) await eventually(() => expect(host.end().phase).toBe("down"));
    await delay(5 * minutesMs);
    for (const host of hosts.hosts) expect(host.end().phase).toBe("down");
    await mend();
    await hosts.active();
    await copy.done;
  });

  test("ten minutes of 300 ms and 5 % loss in each direction, and the cable does not flap", async (context) => {
    const pace = { bytes: 5 * mebibyte, bytesPerSecond: mebibyte / 128, timeoutMs: 15 * minutesMs };
    const { hosts, states } = await copySlowly(context, pace);
    for (const seen of states) expect(seen).toEqual(["active"]);
    for (const host of hosts.hosts) expect(host.end().connects).toBe(1);
  });
});

test("of a thousand links that came and went no tap, thread, process, descriptor or record is left", async () => {
  await expectNothingLeftAfter(20);
});

import { expect, test } from "vitest";
import { expectNothingLeftAfter } from "../integration/c2c-faults/link-waves.js";
import { copySlowly } from "../integration/c2c-faults/slow-underlay.js";

const mebibyte = 1024 * 1024;
const minutesMs = 60_000;

test("a TCP copy through a cable survives ten minutes of 300 ms and 5 % loss in each direction, and the cable does not flap", async (context) => {
  const pace = { bytes: 5 * mebibyte, bytesPerSecond: mebibyte / 128, timeoutMs: 15 * minutesMs };
  const { hosts, states } = await copySlowly(context, pace);
  for (const seen of states) expect(seen).toEqual(["active"]);
  for (const host of hosts.hosts) expect(host.end().connects).toBe(1);
});

test("of five thousand links that came and went no tap, thread, process, descriptor or record is left", async () => {
  await expectNothingLeftAfter(100);
});

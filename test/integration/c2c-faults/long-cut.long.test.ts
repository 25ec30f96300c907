import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { copying } from "./copying.js";
import { cutUnderlay } from "./faults.js";

const mebibyte = 1024 * 1024;
const cutMs = 5 * 60_000;

test("a TCP copy through a cable survives five minutes without underlay", { timeout: 3 * cutMs }, async (context) => {
  const { hosts, copy } = await copying(context, { bytes: 24 * mebibyte, timeoutMs: 2 * cutMs });
  const mend = await cutUnderlay(hosts.a);
  for (const host of hosts.hosts) await eventually(() => expect(host.end().phase).toBe("down"));
  // The length of the cut is what is tested.
  await delay(cutMs);
  for (const host of hosts.hosts) expect(host.end().phase).toBe("down");
  await mend();
  await hosts.active();
  await copy.done;
});

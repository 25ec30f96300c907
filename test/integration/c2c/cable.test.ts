import { expect, onTestFinished, test } from "vitest";
import { TwoHosts } from "./two-hosts.js";

async function twoHosts(): Promise<TwoHosts> {
  const hosts = await TwoHosts.make();
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  return hosts;
}

test("frames cross a cable between two hosts, and both ends say so", async () => {
  const hosts = await twoHosts();
  await hosts.connect();
  await hosts.ping();
  const end = hosts.a.end();
  expect(end.protection).toContain("TLSv1.3");
  expect(end.mtuProven).toBeGreaterThanOrEqual(1500);
  expect(end.rttMs).toBeGreaterThan(0);
  expect(end.paired).toBe(true);
});

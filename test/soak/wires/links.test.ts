import { expect, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { answered, wired } from "../../integration/c2c/nic-hosts.js";

test("the way between the hosts takes carrier from both when it stays down, and a new agent or engine gives it back", async () => {
  const { hosts, a, b } = await wired();
  await a.expectCarrier(true);
  await hosts.a.underlay.ip("link", "set", "ztu0", "down");
  await a.expectCarrier(false);
  await b.expectCarrier(false);
  await hosts.a.underlay.ip("link", "set", "ztu0", "up");
  await a.expectCarrier(true);
  await b.expectCarrier(true);
  await eventually(async () => expect(await answered(a)).toBe(5));
  await hosts.a.close();
  expect(await answered(a)).toBe(5);
  await hosts.a.open();
  await a.expectCarrier(true);
  process.kill(hosts.a.cables.enginePid, "SIGKILL");
  await eventually(() => expect(hosts.b.end().connects).toBeGreaterThan(2));
  await hosts.active();
  await a.expectCarrier(true);
  await b.expectCarrier(true);
  await eventually(async () => expect(await answered(a)).toBe(5));
});

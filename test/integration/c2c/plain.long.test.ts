import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { TwoHosts } from "./two-hosts.js";
import { endSpec } from "../../helpers/engine-words.js";
import { killed } from "../../helpers/killed.js";

async function twoHosts(): Promise<TwoHosts> {
  const hosts = await TwoHosts.make({ allowPlainLinks: true });
  onTestFinished(() => hosts[Symbol.asyncDispose]());
  return hosts;
}

test("a link without encryption carries frames, says so, and comes back without a new ticket", async () => {
  const hosts = await twoHosts();
  await hosts.connect(hosts.specs({ encryption: "none" }));
  await hosts.ping({ size: 1472 });
  for (const host of hosts.hosts) expect(host.end()).toMatchObject({ protection: "none", paired: true });
  const { connects } = hosts.a.end();
  await killed(hosts.b.cables.enginePid);
  await eventually(() => expect(hosts.a.end().connects).toBe(connects + 1));
  await hosts.active();
  await hosts.ping();
});

test("encryption can be changed while the link is there, and nothing crosses while the ends disagree", async () => {
  const hosts = await twoHosts();
  const { a, b } = await hosts.connect();
  const { ticket: _a, ...keptA } = a;
  const { ticket: _b, ...keptB } = b;
  await hosts.a.cables.ensureEnd(endSpec({ ...keptA, encryption: "none" }));
  await eventually(() => expect(hosts.b.end()).toMatchObject({ phase: "down" }));
  await eventually(() => expect(hosts.b.end().reason).toContain("one end is to encrypt the link"));
  await hosts.b.cables.ensureEnd(endSpec({ ...keptB, encryption: "none" }));
  await hosts.active();
  expect(hosts.hosts.map((host) => host.end().protection)).toEqual(["none", "none"]);
  await hosts.ping();
});

test("a host whose policy was changed ends its links without encryption until it is changed back", async () => {
  const hosts = await twoHosts();
  await hosts.connect(hosts.specs({ encryption: "none" }));
  for (const allowed of [false, true]) {
    await hosts.b.close();
    hosts.b.allowPlainLinks = allowed;
    await hosts.b.open();
    if (!allowed) await eventually(() => expect(hosts.b.end().reason).toContain("policy allows encrypted links only"));
  }
  await hosts.active();
  await hosts.ping();
});

import { expect, test } from "vitest";
import { findIdentity, signalProcess } from "../../../lib/process.js";
import { KeptRelayRig, pair } from "../../integration/hub/kept-relay-rig.js";
import { closed } from "../../integration/hub/relay-rig.js";

test("a relay that is stopped, not ended, is noticed and another one takes its place", async () => {
  const rig = await KeptRelayRig.make();
  const relay = await rig.hub();
  const { listener, dialer } = await pair(relay);
  const [address, pid] = [relay.addresses, await rig.pid()];
  const identity = await findIdentity(pid);
  if (identity === undefined) throw new Error("the relay does not run");
  await signalProcess(identity, "SIGSTOP");
  await expect.poll(() => rig.gaps.length, { timeout: 120_000 }).toBe(1);
  await Promise.all([closed(listener), closed(dialer)]);
  expect(relay.addresses).toEqual(address);
  expect(await rig.pid()).not.toBe(pid);
  await pair(relay);
});

import { expect, test } from "vitest";
import { RelayConnection } from "../../../hub/relay/kept/relay-connection.js";
import { findRelays } from "../../../hub/relay/kept/relay-process.js";
import { RelayStatus } from "../../../lib/relay-preamble.js";
import { killed } from "../../helpers/killed.js";
import { arrive, KeptRelayRig, pair } from "./kept-relay-rig.js";
import { closed, linkUid, read, statusOf } from "./relay-rig.js";

test("a pair outlives its hub, the next one finds it and counts its bytes, and cuts it when the link is no more", async () => {
  const rig = await KeptRelayRig.make();
  const first = await rig.hub();
  const { listener, dialer } = await pair(first);
  const [address, pid] = [first.addresses, await rig.pid()];
  await first.close();
  dialer.write("while there is no hub");
  expect((await read(listener, 21)).toString()).toBe("while there is no hub");

  const second = await rig.hub();
  expect([second.addresses, await rig.pid()]).toEqual([address, pid]);
  await expect.poll(() => second.stateOf(linkUid)).toEqual({ waiting: [], paired: true });
  await expect.poll(() => rig.metered).toBe(21);
  // What is told of a link that stays cuts nothing; one host's new tickets do.
  second.tell({ [linkUid]: rig.grants });
  dialer.write("still");
  expect((await read(listener, 5)).toString()).toBe("still");
  await second.close();

  rig.grants = [];
  const third = await rig.hub();
  await Promise.all([closed(listener), closed(dialer)]);
  await expect.poll(() => third.stateOf(linkUid)).toEqual({ waiting: [], paired: false });
  const late = await arrive(third.addresses[0] ?? "", "alpha", "listener");
  expect(await statusOf(late)).toBe(RelayStatus.NotAuthorised);
  // Nothing to do, and no hub: it ends by itself.
  await third.close();
  await expect.poll(() => findRelays(rig.directory)).toEqual([]);
});

test("a relay that is killed is started again at the same address, tells of the gap, and lets in whom it did", async () => {
  const rig = await KeptRelayRig.make();
  const relay = await rig.hub();
  const { listener, dialer } = await pair(relay);
  const [address, pid] = [relay.addresses, await rig.pid()];
  await killed(pid);
  await Promise.all([closed(listener), closed(dialer)]);
  await expect.poll(() => rig.gaps.length).toBe(1);
  expect(relay.addresses).toEqual(address);
  expect(await rig.pid()).not.toBe(pid);
  await pair(relay);
  // Who only looks does not take the hub's place.
  const look = await RelayConnection.open(rig.directory);
  expect(look?.hello).toMatchObject({ pid: await rig.pid(), pairs: 1, addresses: address });
  await look?.close();
  expect(rig.gaps).toHaveLength(1);
});

test("a link so new that the relay was not told of it is asked for", async () => {
  const rig = await KeptRelayRig.make();
  const { grants } = rig;
  rig.grants = [];
  const relay = await rig.hub();
  rig.grants = grants;
  await pair(relay);
});

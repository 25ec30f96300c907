import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { encodeRelayPreamble, RelayStatus } from "../../../lib/relay-preamble.js";
import { closed, grant, linkUid, RelayRig, read, statusOf, ticketOf } from "./relay-rig.js";

const rig = RelayRig.use();

describe("an end at the relay", () => {
  test("lets a host with a good ticket connect only so often, and no other host suffers", async () => {
    await rig.start({ admissions: { burst: 3, perSecond: 0.001 } });
    // The newest that was let in is the one that waits for the other end.
    for (let attempt = 0; attempt < 9; attempt += 1) await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    expect(await statusOf(await rig.arrive("alpha", "listener"))).toBe(RelayStatus.Busy);
    const dialer = await rig.arrive("beta", "dialer");
    expect(await statusOf(dialer)).toBe(RelayStatus.Paired);
  });

  test.each([
    [
      "a ticket of another end",
      async () => rig.arrive("alpha", "dialer", ticketOf("alpha", "listener")),
      RelayStatus.NotAuthorised,
    ],
    ["a ticket of nobody", async () => rig.arrive("alpha", "dialer", randomBytes(32)), RelayStatus.NotAuthorised],
    ["a link that does not exist", async () => foreignLink(), RelayStatus.NotAuthorised],
    [
      "another protocol",
      async () => garbage(() => Buffer.concat([Buffer.from("GET / HTTP/1.1\r\n"), Buffer.alloc(60)])),
      RelayStatus.BadPreamble,
    ],
    ["more than the preamble", async () => eager(), RelayStatus.BadPreamble],
  ])("refuses %s, and pairs it with nobody", async (_what, arriveBadly, code) => {
    await rig.start();
    await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    const socket = await arriveBadly();
    expect(await statusOf(socket)).toBe(code);
    expect(await read(socket, 1)).toHaveLength(0);
    expect(rig.relay.stateOf(linkUid)).toMatchObject({ waiting: [{ role: "listener" }], paired: false });
  });

  async function foreignLink(): Promise<Socket> {
    const uid = "ffffffff-91c1-4f0e-8b53-3a9a4f2c7d10";
    const ticket = ticketOf("beta", "dialer");
    return garbage((challenge) => encodeRelayPreamble({ linkUid: uid, role: "dialer" }, { ticket, challenge }));
  }

  async function garbage(bytesFor: (challenge: Buffer) => Buffer): Promise<Socket> {
    const { socket, challenge } = await rig.open();
    socket.write(bytesFor(challenge));
    return socket;
  }

  async function eager(): Promise<Socket> {
    const ticket = ticketOf("beta", "dialer");
    return garbage((challenge) =>
      Buffer.concat([encodeRelayPreamble({ linkUid, role: "dialer" }, { ticket, challenge }), Buffer.from("hello")]),
    );
  }

  test("refuses a preamble that was overheard on another connection, also after the hub was started anew", async () => {
    await rig.start();
    const ticket = ticketOf("alpha", "listener");
    const first = await rig.open();
    const overheard = encodeRelayPreamble({ linkUid, role: "listener" }, { ticket, challenge: first.challenge });
    first.socket.write(overheard);
    await rig.waits("listener");
    expect(await statusOf(await garbage(() => overheard))).toBe(RelayStatus.NotAuthorised);
    expect(rig.relay.stateOf(linkUid).waiting).toEqual([{ host: "alpha", role: "listener" }]);
    await rig.relay.close();
    await rig.start();
    expect(await statusOf(await garbage(() => overheard))).toBe(RelayStatus.NotAuthorised);
    expect(rig.relay.stateOf(linkUid).waiting).toEqual([]);
  });

  test("gives a slow peer a bounded time for its preamble, however it drips", async () => {
    await rig.start({ preambleMs: 300 });
    const { socket } = await rig.open();
    const drip = setInterval(() => socket.write("Z"), 20);
    try {
      expect(await statusOf(socket)).toBe(RelayStatus.BadPreamble);
    } finally {
      clearInterval(drip);
    }
  });

  test("bounds the connections that have not proven themselves, and still serves those that have", async () => {
    await rig.start({ unprovenPerAddress: 3, preambleMs: 60_000 });
    const { listener, dialer } = await rig.pair();
    const silent = await Promise.all([rig.open(), rig.open(), rig.open()]);
    const refused = await rig.open();
    expect(await statusOf(refused.socket)).toBe(RelayStatus.Busy);
    dialer.write("still here");
    expect((await read(listener, 10)).toString()).toBe("still here");
    silent[0]?.socket.destroy();
    await expect.poll(async () => statusOf(await arriveAtUnknown())).toBe(RelayStatus.NotAuthorised);
  });

  async function arriveAtUnknown(): Promise<Socket> {
    return rig.arrive("alpha", "dialer", randomBytes(32));
  }

  test("lets an end wait only so long for the other", async () => {
    await rig.start({ parkMs: 100 });
    expect(await statusOf(await rig.arrive("alpha", "listener"))).toBe(RelayStatus.TimedOut);
    expect(rig.relay.stateOf(linkUid)).toEqual({ waiting: [], paired: false });
  });

  test("prefers the newest connection of an end that waits", async () => {
    await rig.start();
    const old = await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    const fresh = await rig.arrive("alpha", "listener");
    expect(await statusOf(old)).toBe(RelayStatus.Replaced);
    const dialer = await rig.arrive("beta", "dialer");
    expect(await Promise.all([statusOf(fresh), statusOf(dialer)])).toEqual([0, 0]);
  });

  test("keeps an end that lives when the same one comes from another address, and lets that in when it is silent", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    dialer.resume();
    const copy = () => rig.arrive("alpha", "listener", undefined, "127.0.0.2");
    listener.write("alive");
    expect(await statusOf(await copy())).toBe(RelayStatus.Copy);
    expect(rig.relay.stateOf(linkUid).paired).toBe(true);
    // What the other end says does not keep the place of one that is dead.
    const talk = setInterval(() => dialer.write("hello?"), 100);
    try {
      const paired = async (): Promise<boolean> => {
        await copy();
        return rig.relay.stateOf(linkUid).paired;
      };
      await expect.poll(paired, { interval: 500 }).toBe(false);
    } finally {
      clearInterval(talk);
    }
    await closed(listener);
  });

  test("ends the old pair when one of its ends comes anew, so that the other end notices", async () => {
    await rig.start();
    const { listener } = await rig.pair();
    const fresh = await rig.arrive("beta", "dialer");
    await closed(listener);
    const again = await rig.arrive("alpha", "listener");
    expect(await Promise.all([statusOf(again), statusOf(fresh)])).toEqual([0, 0]);
  });

  test("does not pair a host with itself after its role was changed", async () => {
    await rig.start();
    const old = await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    const fresh = await rig.arrive("alpha", "dialer");
    expect(await statusOf(old)).toBe(RelayStatus.Gone);
    const listener = await rig.arrive("beta", "listener");
    expect(await Promise.all([statusOf(fresh), statusOf(listener)])).toEqual([0, 0]);
  });

  test("forgets an end that goes while it waits", async () => {
    await rig.start();
    const socket = await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    socket.destroy();
    await expect.poll(() => rig.relay.stateOf(linkUid).waiting).toEqual([]);
  });

  test("closes what belongs to a link that was deleted: the pair, and an end that waits", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    rig.grants = [];
    rig.relay.recheck();
    await Promise.all([closed(listener), closed(dialer)]);
    rig.grants = [grant("alpha"), grant("beta")];
    const waiting = await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    rig.grants = [];
    rig.relay.recheck();
    expect(await statusOf(waiting)).toBe(RelayStatus.Gone);
  });

  test("closes a pair when one host's ticket is no longer good, and leaves a pair alone whose tickets are", async () => {
    await rig.start();
    const { listener, dialer } = await rig.pair();
    rig.relay.recheck();
    dialer.write("alive");
    expect((await read(listener, 5)).toString()).toBe("alive");
    rig.grants = [grant("alpha"), { host: "beta", ticketOf: () => randomBytes(32) }];
    rig.relay.recheck();
    await Promise.all([closed(listener), closed(dialer)]);
  });

  test("tells ends that wait when the hub ends", async () => {
    await rig.start();
    const socket = await rig.arrive("alpha", "listener");
    await rig.waits("listener");
    await rig.relay.close();
    expect(await statusOf(socket)).toBe(RelayStatus.ShuttingDown);
  });
});

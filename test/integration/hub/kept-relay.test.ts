import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { KeptRelay } from "../../../hub/relay/kept/kept-relay.js";
import type { GrantWords } from "../../../hub/relay/kept/messages.js";
import { RelayConnection } from "../../../hub/relay/kept/relay-connection.js";
import { endRelays, findRelays } from "../../../hub/relay/kept/relay-process.js";
import { createLog } from "../../../lib/log.js";
import { challengeOf, encodeRelayPreamble, RelayStatus, relayGreetingBytes } from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { silentNews } from "../../../lib/standing-listener.js";
import { killed } from "../../helpers/killed.js";
import { closed, linkUid, read, statusOf, ticketOf } from "./relay-rig.js";

/** A state directory whose hub comes and goes. */
class Rig {
  readonly directory: string;
  /** Whom the hub lets in. */
  grants: GrantWords[] = [wordsOf("alpha"), wordsOf("beta")];
  /** Bytes that hubs were told of. */
  metered = 0;
  gaps: number[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<Rig> {
    const rig = new Rig(join(await mkdtemp(join(tmpdir(), "zt-relay-")), "relay"));
    onTestFinished(async () => {
      await endRelays(rig.directory);
      await rm(join(rig.directory, ".."), { recursive: true, force: true });
    });
    return rig;
  }

  /** A hub comes. */
  async hub(): Promise<KeptRelay> {
    const relay = await KeptRelay.start({
      directory: this.directory,
      addresses: ["127.0.0.1:0"],
      grants: () => (this.grants.length === 0 ? {} : { [linkUid]: this.grants }),
      grantsOf: (uid) => (uid === linkUid ? this.grants : []),
      onBytes: (_uid, bytes) => {
        this.metered += bytes;
      },
      news: silentNews,
      onGap: (gapMs) => this.gaps.push(gapMs),
      log: createLog("relay-test", { write: () => undefined }),
    });
    onTestFinished(() => relay.close());
    return relay;
  }

  async pid(): Promise<number> {
    const [relay, ...more] = await findRelays(this.directory);
    expect(more).toEqual([]);
    return relay?.pid ?? 0;
  }
}

function wordsOf(host: string): GrantWords {
  const [listener, dialer] = (["listener", "dialer"] as const).map((role) => ticketOf(host, role).toString("base64"));
  return { host, tickets: { listener: listener ?? "", dialer: dialer ?? "" } };
}

async function arrive(address: string, host: string, role: RelayRole): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(address.split(":")[1]), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const challenge = challengeOf(await read(socket, relayGreetingBytes));
  if (challenge === undefined) throw new Error("the relay did not greet");
  socket.write(encodeRelayPreamble({ linkUid, role }, { ticket: ticketOf(host, role), challenge }));
  return socket;
}

async function pair(relay: KeptRelay): Promise<{ listener: Socket; dialer: Socket }> {
  const [address = ""] = relay.addresses;
  const [listener, dialer] = [await arrive(address, "alpha", "listener"), await arrive(address, "beta", "dialer")];
  expect(await Promise.all([statusOf(listener), statusOf(dialer)])).toEqual([RelayStatus.Paired, RelayStatus.Paired]);
  return { listener, dialer };
}

test("a pair outlives its hub, the next one finds it and counts its bytes, and cuts it when the link is no more", async () => {
  const rig = await Rig.make();
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
  const rig = await Rig.make();
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
  const rig = await Rig.make();
  const { grants } = rig;
  rig.grants = [];
  const relay = await rig.hub();
  rig.grants = grants;
  await pair(relay);
});

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { KeptRelay } from "../../../hub/relay/kept/kept-relay.js";
import type { GrantWords } from "../../../hub/relay/kept/messages.js";
import { endRelays, findRelays } from "../../../hub/relay/kept/relay-process.js";
import { createLog } from "../../../lib/log.js";
import { challengeOf, encodeRelayPreamble, RelayStatus, relayGreetingBytes } from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { silentNews } from "../../../lib/standing-listener.js";
import { linkUid, read, statusOf, ticketOf } from "./relay-rig.js";

/** A state directory whose hub comes and goes. */
export class KeptRelayRig {
  readonly directory: string;
  /** Whom the hub lets in. */
  grants: GrantWords[] = [wordsOf("alpha"), wordsOf("beta")];
  /** Bytes that hubs were told of. */
  metered = 0;
  gaps: number[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<KeptRelayRig> {
    const rig = new KeptRelayRig(join(await mkdtemp(join(tmpdir(), "zt-relay-")), "relay"));
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

/** An end of the link at a relay, its preamble sent. */
export async function arrive(address: string, host: string, role: RelayRole): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(address.split(":")[1]), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const challenge = challengeOf(await read(socket, relayGreetingBytes));
  if (challenge === undefined) throw new Error("the relay did not greet");
  socket.write(encodeRelayPreamble({ linkUid, role }, { ticket: ticketOf(host, role), challenge }));
  return socket;
}

/** Both ends, paired. */
export async function pair(relay: KeptRelay): Promise<{ listener: Socket; dialer: Socket }> {
  const [address = ""] = relay.addresses;
  const [listener, dialer] = [await arrive(address, "alpha", "listener"), await arrive(address, "beta", "dialer")];
  expect(await Promise.all([statusOf(listener), statusOf(dialer)])).toEqual([RelayStatus.Paired, RelayStatus.Paired]);
  return { listener, dialer };
}

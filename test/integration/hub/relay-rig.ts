import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect } from "vitest";
import { Relay, type RelayGrant, type RelayLimits, type RelayOptions } from "../../../hub/relay/relay.js";
import { createLog } from "../../../lib/log.js";
import { challengeOf, encodeRelayPreamble, RelayStatus, relayGreetingBytes } from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";

/** The link whose ends hosts alpha and beta have at the relay. */
export const linkUid = "0b54e6a5-91c1-4f0e-8b53-3a9a4f2c7d10";

/** The ticket that lets a host in. */
export function ticketOf(host: string, role: RelayRole): Buffer {
  return createHash("sha256").update(`${host} ${role}`).digest();
}

/** Lets a host in with its tickets. */
export function grant(host: string): RelayGrant {
  return { host, ticketOf: (role) => ticketOf(host, role) };
}

/** A relay for each test of a file, and connections to it. */
export class RelayRig {
  /** Who is let in. */
  grants: RelayGrant[] = [];
  /** Bytes the relay has told of. */
  metered = 0n;
  #relay: Relay | undefined;
  readonly #sockets: Socket[] = [];

  /** Registers itself with the hooks of the file's tests. */
  static use(): RelayRig {
    const rig = new RelayRig();
    beforeEach(() => {
      rig.grants = [grant("alpha"), grant("beta")];
      rig.metered = 0n;
    });
    afterEach(async () => {
      for (const socket of rig.#sockets.splice(0)) socket.destroy();
      await rig.relay.close();
    });
    return rig;
  }

  /** The one that {@link start} began last. */
  get relay(): Relay {
    if (this.#relay === undefined) throw new Error("the relay has not been started");
    return this.#relay;
  }

  async start(
    limits: Partial<RelayLimits> = {},
    others: Partial<Pick<RelayOptions, "log" | "startThread">> = {},
  ): Promise<void> {
    this.#relay = await Relay.listen({
      addresses: ["127.0.0.1:0"],
      grants: (uid) => (uid === linkUid ? this.grants : []),
      onBytes: (_uid, bytes) => {
        this.metered += BigInt(bytes);
      },
      log: createLog("relay-test", { write: () => undefined }),
      limits,
      ...others,
    });
  }

  /** A connection that the relay has greeted. */
  async open(from = "127.0.0.1"): Promise<{ readonly socket: Socket; readonly challenge: Buffer }> {
    const port = Number(this.relay.addresses[0]?.split(":")[1]);
    const socket = connect({ host: "127.0.0.1", port, localAddress: from, allowHalfOpen: true });
    this.#sockets.push(socket);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const challenge = challengeOf(await read(socket, relayGreetingBytes));
    if (challenge === undefined) throw new Error("the relay did not greet");
    return { socket, challenge };
  }

  /** An end at the relay: connected, its preamble sent. */
  async arrive(host: string, role: RelayRole, ticket = ticketOf(host, role), from?: string): Promise<Socket> {
    const { socket, challenge } = await this.open(from);
    socket.write(encodeRelayPreamble({ linkUid, role }, { ticket, challenge }));
    return socket;
  }

  /** Resolves when the end with this role waits for the other. */
  async waits(role: RelayRole): Promise<void> {
    await expect.poll(() => this.relay.stateOf(linkUid).waiting.map((end) => end.role)).toEqual([role]);
  }

  /** Both ends, paired. */
  async pair(): Promise<{ listener: Socket; dialer: Socket }> {
    const listener = await this.arrive("alpha", "listener");
    await this.waits("listener");
    const dialer = await this.arrive("beta", "dialer");
    expect(await Promise.all([statusOf(listener), statusOf(dialer)])).toEqual([RelayStatus.Paired, RelayStatus.Paired]);
    return { listener, dialer };
  }
}

/** The relay's answer. */
export async function statusOf(socket: Socket): Promise<number | undefined> {
  const bytes = await read(socket, 1);
  return bytes[0];
}

/** Reads exactly so many bytes, or what there was when the socket ended. */
export async function read(socket: Socket, length: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = length;
  while (left > 0) {
    const chunk: Buffer | null = socket.read(Math.min(left, socket.readableLength || left));
    if (chunk !== null) {
      parts.push(chunk);
      left -= chunk.length;
    } else if (socket.readableEnded || socket.destroyed) break;
    else await nextEvent(socket, ["readable", "end", "close"]);
  }
  return Buffer.concat(parts);
}

/** Resolves when the relay has closed the connection. */
export async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.readableEnded && !socket.destroyed) await nextEvent(socket, ["end", "close"]);
}

async function nextEvent(socket: Socket, events: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of events) socket.on(event, resolve);
  await promise;
  for (const event of events) socket.off(event, resolve);
}

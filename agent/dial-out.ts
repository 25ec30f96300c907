import { once } from "node:events";
import type { Duplex } from "node:stream";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { Backoff } from "../lib/backoff.js";
import { bootProtocol, refusalIn } from "../lib/dial-out-protocol.js";
import { messageOf } from "../lib/errors.js";
import type { Log } from "../lib/log.js";
import { timeLimit } from "../lib/time-limit.js";
import { trouble } from "../lib/tls/certificate-trouble.js";
import { certificateFacts } from "../lib/tls/identity.js";
import { hubServerName } from "../lib/tls/join.js";
import type { IdentityHolder } from "./identity-holder.js";

/** What dialling out needs. */
export interface DialOutOptions {
  readonly identity: IdentityHolder;
  /** Tells this process from another that has the same identity. */
  readonly boot: string;
  /** The hub does not use this agent, and why. */
  readonly onRefused: (why: string) => void;
  /** Addresses ("ip:port") at which the hub accepts agents, tried in turn. */
  readonly addresses: readonly string[];
  /** Takes a connection that the hub has begun to use; its first bytes are still unread. */
  readonly accept: (connection: Duplex) => void;
  readonly log: Log;
}

/** Connections that wait at the hub: one for its next call, one in reserve while another is opened. */
const parkedConnections = 2;
const connectTimeoutMs = 10_000;
/** Finds a hub that is gone without a word within about 15 s, with the kernel's usual probes. */
const keepAliveMs = 5000;

/**
 * Keeps connections open at the hub, for hosts that cannot be dialled. The hub is silent on one until it wants it; with its
 * first byte the connection becomes one like those of the agent's own listeners. Tries for ever; ends with the signal.
 */
export async function dialOutForever(options: DialOutOptions, signal: AbortSignal): Promise<void> {
  await Promise.all(Array.from({ length: parkedConnections }, (_, slot) => keepParked(options, slot, signal)));
}

async function keepParked(options: DialOutOptions, slot: number, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ minMs: 200, maxMs: 5000 });
  for (let attempt = slot; !signal.aborted; attempt += 1) {
    const address = options.addresses[attempt % options.addresses.length];
    if (address === undefined) return;
    try {
      const socket = await open(address, options, signal);
      const isUsed = await isWanted(socket, signal);
      const refusal = isUsed ? takeRefusal(socket) : undefined;
      // One that is refused comes again more and more slowly.
      if (refusal === undefined) backoff.reset();
      if (isUsed && refusal === undefined) {
        options.accept(socket);
        continue;
      }
      socket.destroy();
      // The hub refuses a certificate only after the handshake has ended on this side.
      const facts = certificateFacts(options.identity.current.certificatePem);
      const reason = trouble({ whose: "this host's", facts }, new Date());
      if (refusal !== undefined) options.onRefused(refusal);
      else if (!signal.aborted && reason !== undefined)
        options.log.warn({ address, reason }, "the hub closes connections");
      else if (!signal.aborted) options.log.debug({ address }, "the hub closed a waiting connection");
    } catch (error) {
      const facts = certificateFacts(options.identity.current.certificatePem);
      const reason = trouble({ whose: "this host's", facts }, new Date()) ?? messageOf(error);
      if (!signal.aborted) options.log.warn({ address, reason }, "the hub cannot be dialled; trying again");
    }
    await backoff.wait(signal);
  }
}

async function open(address: string, { identity, boot }: DialOutOptions, signal: AbortSignal): Promise<TLSSocket> {
  const split = address.lastIndexOf(":");
  const { keyPem, certificatePem, caPem } = identity.current;
  const socket = connect({
    host: address.slice(0, split).replace(/^\[|\]$/g, ""),
    port: Number(address.slice(split + 1)),
    servername: hubServerName,
    key: keyPem,
    cert: certificatePem,
    ca: caPem,
    minVersion: "TLSv1.3",
    rejectUnauthorized: true,
    ALPNProtocols: [bootProtocol(boot)],
    checkServerIdentity: (_host, certificate) => checkServerIdentity(hubServerName, certificate),
  });
  socket.setKeepAlive(true, keepAliveMs);
  socket.setNoDelay(true);
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.any([signal, timeLimit(connectTimeoutMs)]) });
    return socket;
  } catch (error) {
    // A late error of a socket that nobody waits for must not end the program.
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  }
}

/** Whether the hub has sent its first byte; false when the connection ended instead. The byte stays unread. */
async function isWanted(socket: TLSSocket, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const settle = (): void => resolve();
  socket.on("error", settle);
  socket.once("readable", settle).once("end", settle).once("close", settle);
  signal.addEventListener("abort", settle, { once: true });
  await promise;
  signal.removeEventListener("abort", settle);
  socket.off("readable", settle).off("end", settle).off("close", settle);
  return !signal.aborted && !socket.destroyed && socket.readableLength > 0;
}

/** Why the hub refuses this agent; undefined: it does not, and its first bytes stay unread. */
function takeRefusal(socket: TLSSocket): string | undefined {
  // A socket without encoding reads Buffers.
  const bytes = socket.read() as Buffer | null;
  if (bytes === null) return undefined;
  const refusal = refusalIn(bytes);
  if (refusal === undefined) socket.unshift(bytes);
  return refusal;
}

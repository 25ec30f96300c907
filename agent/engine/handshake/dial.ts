import { once } from "node:events";
import type { Socket } from "node:net";
import { messageOf } from "../../../lib/errors.js";
import { close } from "../../../lib/libc.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { timeLimit } from "../../../lib/time-limit.js";
import type { Path } from "../ends/link-state.js";
import type { TapOffload } from "../frames/tap.js";
import { unpacedSocket } from "../frames/unpaced.js";
import { setTcpOption } from "../native.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import type { EstablishedConnection } from "../threads/cable-orders.js";
import type { Encryption } from "./encryption.js";
import { CableFailure } from "./failure.js";
import { acceptHello, type Credential, dialHello, type ListenerEnd } from "./hello.js";
import { meetAtRelay } from "./relay-socket.js";
import { resolvePeer } from "./resolve-peer.js";
import { acceptSecure, connectSecure, type SecureChannel } from "./secure-channel.js";

/** Longest time to a TCP connection. */
const connectMs = 5_000;
/** Longest time from there to a cable that is set up. */
const handshakeMs = 5_000;
/** The kernel gives a connection up when sent bytes stay unanswered for so long; the worker hears the silence before. */
const userTimeoutMs = 12_000;
const keepAliveMs = 5_000;
/** Bytes in the socket that are not yet on their way: what waits longer than that waits in the tap, where it is counted when dropped. */
const notSentLowWaterBytes = 512 * 1024;

/** A connection ready for a worker, and what is known of it. */
export interface ReadyConnection {
  readonly established: EstablishedConnection;
  readonly path: Path;
  /** "ip:port". */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** When it was set up, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Which engine process dialled; "": it did not tell, or this end has dialled. */
  readonly dialler: string;
}

/** What a dialer's handshake needs. */
export interface HandshakeOptions {
  readonly identity: CableIdentity;
  readonly peerKeySha256: Buffer;
  readonly linkUid: string;
  readonly credential: Credential;
  readonly offload: TapOffload;
  readonly encryption: Encryption;
  /** Tells this engine process from another of the same host's identity. */
  readonly engine: string;
  readonly storePairing: (secret: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What dialling needs. */
export interface DialOptions extends HandshakeOptions {
  readonly address: string;
}

/** Dials one address and does the whole handshake. @throws {CableFailure} with the reason; rethrows nothing else but its own bugs. */
export async function dial(options: DialOptions): Promise<ReadyConnection> {
  const socket = await openSocket(options.address, options.signal);
  return greet(socket, "direct", options);
}

/** Does the dialer's side of the handshake on a connected socket, which it takes over in any case. @throws {CableFailure} */
export async function greet(socket: Socket, path: Path, options: HandshakeOptions): Promise<ReadyConnection> {
  try {
    const signal = AbortSignal.any([options.signal, timeLimit(handshakeMs)]);
    return await withReasons(signal, async () => {
      const { identity, peerKeySha256 } = options;
      const channel = await connectSecure({ socket, identity, peerKeySha256, signal });
      const { offload } = await dialHello(channel, { ...options, signal });
      return ready(socket, channel, { offload, path, encryption: options.encryption, dialler: "" });
    });
  } finally {
    socket.destroy();
  }
}

/** Does the listener's side on an accepted socket, which it takes over in any case. @throws {CableFailure} */
export async function answer<End extends ListenerEnd>(
  socket: Socket,
  path: Path,
  options: {
    readonly identity: CableIdentity;
    readonly find: (linkUid: string) => End | undefined;
    readonly signal: AbortSignal;
  },
): Promise<ReadyConnection & { readonly end: End }> {
  socket.on("error", ignoreLater);
  const signal = AbortSignal.any([options.signal, timeLimit(handshakeMs)]);
  try {
    return await withReasons(signal, async () => {
      const channel = await acceptSecure(socket, options.identity, signal);
      try {
        // Without the port, which is another at each try.
        const from =
          path === "relayed" ? "the relay" : (socket.remoteAddress ?? "").replace(/^::ffff:(?=[0-9.]+$)/, "");
        const { end, offload, engine } = await acceptHello(channel, { find: options.find, from, signal });
        return { ...ready(socket, channel, { offload, path, encryption: end.encryption, dialler: engine }), end };
      } catch (error) {
        // Lets a refusal reach the peer before the socket is destroyed.
        socket.end();
        if (!socket.writableFinished) await once(socket, "finish", { signal }).catch(() => undefined);
        throw error;
      }
    });
  } finally {
    socket.destroy();
  }
}

/** Connects to the first relay that answers and waits there for the other end. The socket is the caller's. @throws {CableFailure} */
export async function openRelay(options: {
  readonly addresses: readonly string[];
  readonly linkUid: string;
  readonly role: RelayRole;
  readonly ticket: Buffer;
  readonly signal: AbortSignal;
}): Promise<Socket> {
  const socket = await openFirst(options.addresses, options.signal);
  try {
    socket.setKeepAlive(true, keepAliveMs);
    await meetAtRelay(socket, options);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Tests whether the peer answers at an address with its key. @throws {CableFailure} why not. */
export async function testAddress(
  options: Pick<DialOptions, "address" | "identity" | "peerKeySha256" | "signal">,
): Promise<void> {
  const socket = await openSocket(options.address, options.signal);
  const signal = AbortSignal.any([options.signal, timeLimit(handshakeMs)]);
  try {
    await withReasons(signal, () => connectSecure({ ...options, socket, signal }));
  } finally {
    socket.destroy();
  }
}

async function openFirst(addresses: readonly string[], signal: AbortSignal): Promise<Socket> {
  let failure = new CableFailure("relay", "no address of the relay is known");
  for (const address of addresses) {
    try {
      return await openSocket(address, signal);
    } catch (error) {
      if (!(error instanceof CableFailure)) throw error;
      failure = new CableFailure("relay", `the relay cannot be reached: ${error.message}`, error);
    }
  }
  throw failure;
}

/** Opens a TCP connection. @throws {CableFailure} */
async function openSocket(address: string, signal: AbortSignal): Promise<Socket> {
  const either = AbortSignal.any([signal, timeLimit(connectMs)]);
  const { ip, port } = await resolvePeer(address, either);
  const socket = unpacedSocket(ip);
  socket.on("error", ignoreLater);
  socket.connect({ host: ip, port });
  try {
    await once(socket, "connect", { signal: either });
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    socket.destroy();
    throw connectFailure(error, address, either);
  }
}

/** Errors are seen where the socket is awaited; what comes between must not end the process. */
function ignoreLater(): void {
  // Nothing to do.
}

function connectFailure(error: unknown, address: string, signal: AbortSignal): CableFailure {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ECONNREFUSED") return new CableFailure("refused", `${address} refused the connection`, error);
  if (signal.aborted || code === "ETIMEDOUT") {
    return new CableFailure("timed-out", `${address} did not answer in ${connectMs / 1000} s`, error);
  }
  return new CableFailure(
    "unreachable",
    `${address} cannot be reached (${typeof code === "string" ? code : "unknown cause"})`,
    error,
  );
}

/** Turns whatever ends a handshake into a {@link CableFailure}. */
async function withReasons<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CableFailure) throw error;
    if (signal.aborted)
      throw new CableFailure("timed-out", `the handshake took longer than ${handshakeMs / 1000} s`, error);
    throw new CableFailure("protocol", messageOf(error), error);
  }
}

function ready(
  socket: Socket,
  channel: SecureChannel,
  {
    offload,
    encryption,
    ...known
  }: { readonly offload: TapOffload; readonly encryption: Encryption } & Pick<ReadyConnection, "path" | "dialler">,
): ReadyConnection {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  const localAddress = formatEndpoint(socket.localAddress, socket.localPort);
  const remoteAddress = formatEndpoint(socket.remoteAddress, socket.remotePort);
  const established = { ...channel.release(encryption), offload };
  try {
    setTcpOption(established.fd, "userTimeoutMs", userTimeoutMs);
    setTcpOption(established.fd, "notSentLowWaterBytes", notSentLowWaterBytes);
  } catch (error) {
    close(established.fd);
    throw error;
  }
  return { established, ...known, localAddress, remoteAddress, sinceMs: Date.now() };
}

function formatEndpoint(ip: string | undefined, port: number | undefined): string {
  if (ip === undefined || port === undefined) return "";
  const plain = ip.replace(/^::ffff:(?=[0-9.]+$)/, "");
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

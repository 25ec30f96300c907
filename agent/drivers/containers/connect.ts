import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { Socket, type SocketConstructorOpts } from "node:net";
import { failedPrecondition } from "../../../lib/errors.js";
import { isAlive } from "../../../lib/process.js";
import type { FromServer, GuestServer } from "../abilities/connect.js";
import type { CallOptions, RecoveryHandle } from "../driver-instance.js";
import { socketStream } from "../socket-stream.js";

const connectMs = 10_000;

/**
 * Connects to a server in the net namespace of a process. The socket is made there and stays of there; nothing inside is needed for it, and
 * nothing inside can reach what connects.
 */
export async function* connectInNetns(
  process: RecoveryHandle,
  { address, port, input }: GuestServer & { readonly input: AsyncIterable<Uint8Array> },
  { signal, resource }: CallOptions & { readonly resource: string },
): AsyncGenerator<FromServer> {
  const socket = await socketOf(process, address, resource);
  const close = (): void => void socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  socket.on("error", close);
  try {
    socket.connect({ host: address, port });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectMs)]);
    await once(socket, "connect", { signal: limit }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw refused(error, `${address.includes(":") ? `[${address}]` : address}:${port}`, resource);
    });
    socket.setNoDelay(true);
    yield* socketStream(socket, input, signal);
  } finally {
    signal.removeEventListener("abort", close);
    socket.destroy();
  }
}

async function socketOf(process: RecoveryHandle, address: string, resource: string): Promise<Socket> {
  // Loaded on first use: the agent stays small as long as nobody connects.
  const { createStreamSocket, enterNetNamespace } = await import("../../../lib/net/socket-calls.js");
  const ended = (): Error => failedPrecondition("NOT_RUNNING", resource, `${resource} has ended; start it first`);
  let there: number;
  try {
    there = openSync(`/proc/${process.pid}/ns/net`, "r");
  } catch {
    throw ended();
  }
  const home = openSync("/proc/thread-self/ns/net", "r");
  try {
    // The pid may have become another's before it was opened.
    if (!(await isAlive(process))) throw ended();
    enterNetNamespace(there);
    let fd: number;
    try {
      fd = createStreamSocket(address.includes(":") ? "ipv6" : "ipv4");
    } finally {
      enterNetNamespace(home);
    }
    // Without manualStart, which Node's types do not know, it would be read before it is connected.
    const options: SocketConstructorOpts & { readonly manualStart: boolean } = {
      fd,
      manualStart: true,
      allowHalfOpen: true,
    };
    return new Socket(options);
  } finally {
    closeSync(home);
    closeSync(there);
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  EHOSTUNREACH: "there is no way to that address",
  ENETUNREACH: "there is no way to that address",
  ETIMEDOUT: "it does not answer",
};

function refused(error: unknown, where: string, resource: string): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = words[code] ?? (code === "ABORT_ERR" ? "it does not answer" : code);
  return failedPrecondition("CONNECT_FAILED", resource, `${resource}: cannot connect to ${where} inside: ${why}`);
}

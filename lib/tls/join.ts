import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { type JoiningHost, type JoinResponse, JoinServiceService } from "../../proto/gen/zor/v1/join_service.js";
import { Backoff } from "../backoff.js";
import { messageOf, ZorError } from "../errors.js";
import { Connection } from "../grpc/connection.js";
import { certificateSha256, createKeyPem, derToPem, type Identity } from "./identity.js";
import { type JoinToken, parseToken } from "./token.js";

/** DNS name in every hub's certificate. */
export const hubServerName = "hub.zor";

/** What the names of agents end with. */
const hostServerEnd = ".host.zor";

/** DNS name in the certificate of a host's agent. */
export function hostServerName(hostId: string): string {
  return `${hostId}${hostServerEnd}`;
}

/** The host whose agent's certificate has that DNS name; undefined: it is no agent's. */
export function hostOfServerName(serverName: string): string | undefined {
  return serverName.endsWith(hostServerEnd) ? serverName.slice(0, -hostServerEnd.length) : undefined;
}

/** What joining gives. */
export interface Joined {
  readonly identity: Identity;
  readonly response: JoinResponse;
}

/** How a token is used. */
export interface JoinOptions {
  /** For an agent that joins. */
  readonly host?: JoiningHost;
  readonly timeoutMs?: number;
  /** What to dial for an address of the token: the path of a Unix socket as "unix:/path"; default: the address. */
  readonly door?: (address: string) => Promise<string>;
}

/**
 * Turns a token into an identity. The hub is checked against the fingerprint in the token before anything is sent to it, and
 * the private key never leaves this process. Not idempotent: a token works once.
 * @throws {ZorError} UNAVAILABLE when no address answers, PERMISSION_DENIED when the hub is not the token's, or what the hub says.
 */
export async function join(tokenText: string, options: JoinOptions = {}): Promise<Joined> {
  const token = await doored(parseToken(tokenText), options.door);
  const timeoutMs = options.timeoutMs ?? 10_000;
  const { address, caPem } = await findHub(token, Math.min(timeoutMs, findTimeoutMs));
  const keyPem = createKeyPem();
  // Loaded here only: most who need this file's names never join, and its X.509 library takes 40 ms.
  const { createCsr } = await import("./csr.js");
  const csr = await createCsr(keyPem);
  const connection = new Connection({
    address,
    serverName: hubServerName,
    identity: { caPem, keyPem: "", certificatePem: "" },
  });
  try {
    // A handshake that is dropped is begun again; the token is sent once. Why it cannot be at all, the call tells.
    await connection.ready(Math.min(timeoutMs, findTimeoutMs)).catch(() => undefined);
    const response = await connection.unary(
      JoinServiceService.join,
      { token: tokenText.trim(), csr, host: options.host },
      { timeoutMs },
    );
    return { response, identity: { keyPem, certificatePem: derToPem(response.certificate), caPem } };
  } finally {
    connection.close();
  }
}

async function doored(token: JoinToken, door: JoinOptions["door"]): Promise<JoinToken> {
  return door === undefined ? token : { ...token, addresses: await Promise.all(token.addresses.map(door)) };
}

/** Longest wait for one of the hub's addresses to show the hub's certificate. */
const findTimeoutMs = 4_500;

/** The first address that shows the hub's CA; all are tried at once, so that one in a black hole keeps nobody waiting. */
async function findHub(token: JoinToken, timeoutMs: number): Promise<{ address: string; caPem: string }> {
  const tries = token.addresses.map(async (address) => ({
    address,
    caPem: await fetchCaPatiently(address, token.caSha256, timeoutMs),
  }));
  const found = await Promise.any(tries).catch(() => undefined);
  if (found !== undefined) return found;
  const results = await Promise.allSettled(tries);
  const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const wrongHub = errors.find((error) => error instanceof ZorError);
  if (wrongHub !== undefined) throw wrongHub;
  const failures = errors.map((error, index) => `${token.addresses[index] ?? ""}: ${messageOf(error)}`);
  throw new ZorError({
    reason: "HUB_UNREACHABLE",
    code: status.UNAVAILABLE,
    message: `cannot reach the hub's join listener (${failures.join("; ")}); is the hub running and its join port open to this machine?`,
  });
}

/** A listener that is flooded drops handshakes, and one that restarts does: nothing was sent yet, so they are begun again. */
async function fetchCaPatiently(address: string, caSha256: Buffer, timeoutMs: number): Promise<string> {
  const deadlineMs = performance.now() + timeoutMs;
  const backoff = new Backoff({ minMs: 100, maxMs: 1000 });
  for (;;) {
    try {
      return await fetchCa(address, caSha256, Math.max(1, deadlineMs - performance.now()));
    } catch (error) {
      const waitMs = backoff.nextMs();
      if (!wasDropped(error) || performance.now() + waitMs >= deadlineMs) throw error;
      await sleep(waitMs);
    }
  }
}

/** Somebody was there and ended the connection before the handshake was whole. */
function wasDropped(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}

// Reads the chain the hub shows and picks the CA the token names. Nothing is sent but the handshake.
async function fetchCa(address: string, caSha256: Buffer, timeoutMs: number): Promise<string> {
  const split = address.lastIndexOf(":");
  const host = address.slice(0, split).replace(/^\[|\]$/g, "");
  const place = address.startsWith("unix:")
    ? { path: address.slice("unix:".length) }
    : { host, port: Number(address.slice(split + 1)) };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket: TLSSocket = connect({
    ...place,
    servername: hubServerName,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    // Verified by fingerprint below, and again as the CA of the connection that carries the token.
    rejectUnauthorized: false,
  });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  socket.once("error", reject);
  socket.once("secureConnect", () => {
    let certificate = socket.getPeerCertificate(true);
    const seen = new Set<string>();
    while (certificate?.raw !== undefined && !seen.has(certificate.fingerprint256)) {
      if (certificateSha256(certificate.raw).equals(caSha256)) {
        resolve(derToPem(certificate.raw));
        return;
      }
      seen.add(certificate.fingerprint256);
      certificate = certificate.issuerCertificate;
    }
    reject(
      new ZorError({
        reason: "WRONG_HUB",
        code: status.PERMISSION_DENIED,
        message: `${address} is not the hub that issued this token (its CA has another fingerprint); nothing was sent to it`,
      }),
    );
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

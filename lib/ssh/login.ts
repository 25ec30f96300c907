import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Client, ConnectConfig, ServerHostKeyAlgorithm } from "ssh2";
import { unavailable, ZorError } from "../errors.js";
import { timeLimit } from "../time-limit.js";
import { Authentication, ssh2 } from "./authentication.js";
import { nameOf, type SshConfig, type SshSettings } from "./config.js";
import { checkHostKey, type HostKeyPolicy } from "./host-key.js";
import type { KnownHosts } from "./known-hosts.js";
import type { Remembered } from "./questions.js";
import { authenticationFailed, cannotReach, channelWords, lostWhileOpening } from "./troubles.js";

/** How a connection is made. */
export interface SshOptions {
  readonly config: Pick<SshConfig, "lookUp">;
  /** Who is asked for passwords, passphrases and about keys; undefined: nobody is there. */
  readonly questions?: Remembered | undefined;
  /** What becomes of a server's key that is not known; default: as the configuration says, else it is asked. */
  readonly unknownKeys?: HostKeyPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what the configuration asks for and does not get. */
  readonly onNote?: ((note: string) => void) | undefined;
}

const connectTimeoutMs = 10_000;
const handshakeTimeoutMs = 20_000;
const keepAliveMs = 15_000;
const maxSilent = 4;

/** Those on the way are reached from each other, as ssh does with a list of them. */
export function withoutJumps(settings: SshSettings): SshSettings {
  return { ...settings, jumps: [] };
}

/** Connects to the first server. @throws {ZorError} UNAVAILABLE with why it cannot. */
export async function dial(settings: SshSettings, signal: AbortSignal | undefined): Promise<Socket> {
  const { hostName, port } = settings;
  const socket = connectTcp({ host: hostName, port });
  socket.setNoDelay(true);
  const timeout = timeLimit(connectTimeoutMs);
  try {
    await once(socket, "connect", { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
    return socket;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    signal?.throwIfAborted();
    throw cannotReach(nameOf(settings), `${hostName}:${port}`, timeout.aborted ? undefined : error);
  }
}

/** Connects to the next server by the one before it. */
export function through(before: Client, settings: SshSettings): Promise<Duplex> {
  const { hostName, port } = settings;
  return new Promise((resolve, reject) => {
    before.forwardOut("127.0.0.1", 0, hostName, port, (error, channel) => {
      if (error === undefined) resolve(channel);
      else
        reject(
          unavailable(
            "SSH_UNREACHABLE",
            nameOf(settings),
            `cannot reach ${nameOf(settings)} through the server before it: ${channelWords(error)}`,
            error,
          ),
        );
    });
  });
}

/** A server, and what leads to it. */
export interface Hop {
  readonly settings: SshSettings;
  /** Read before the carrier is there: nobody listens to it meanwhile. */
  readonly known: KnownHosts;
  readonly carrier: Duplex;
}

/** Speaks ssh over a carrier: checks the server's key and logs in. @throws {ZorError} with what was tried and what to do. */
export async function logIn(hop: Hop, options: SshOptions): Promise<Client> {
  const { settings, known, carrier } = hop;
  const name = nameOf(settings);
  const authentication = new Authentication(settings, options.questions);
  const client = new (ssh2().Client)();
  let keyTrouble: ZorError | undefined;
  let first = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const place = {
    host: settings.hostKeyAlias ?? settings.hostName,
    port: settings.hostKeyAlias === undefined ? settings.port : 22,
  };
  const config: ConnectConfig = {
    sock: carrier,
    username: settings.user,
    readyTimeout: 0,
    keepaliveInterval: keepAliveMs,
    keepaliveCountMax: maxSilent,
    ...keyOrder(known.typesOf(place)),
    hostVerifier: (key: Buffer, verify: (isGood: boolean) => void) => {
      clearTimeout(timer);
      checkHostKey(
        { ...place, key },
        { known, settings, name, policy: options.unknownKeys ?? settings.unknownKeys, questions: options.questions },
      ).then(
        () => verify(true),
        (error: unknown) => {
          keyTrouble = error instanceof ZorError ? error : undefined;
          verify(false);
        },
      );
    },
    authHandler: authentication.next as NonNullable<ConnectConfig["authHandler"]>,
  };
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const fail = (error: unknown): void => {
    if (keyTrouble !== undefined) reject(keyTrouble);
    else if (isAuthentication(error)) reject(authenticationFailed(name, authentication));
    else
      reject(
        lostWhileOpening(name, {
          error,
          first: first.toString("latin1"),
          isLoggingIn: authentication.tried.length > 0,
        }),
      );
  };
  const onAbort = (): void => {
    reject(options.signal?.reason);
    client.destroy();
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  client.on("error", (error) => {
    // An agent that cannot be asked is passed over, and the files tried.
    if (error.level !== "agent") fail(error);
  });
  client.once("close", () => fail(undefined));
  client.once("ready", () => resolve(client));
  timer = setTimeout(() => fail(new Error(`it says nothing for ${handshakeTimeoutMs / 1000} s`)), handshakeTimeoutMs);
  try {
    client.connect(config);
    carrier.on("data", (data: Buffer) => {
      if (first.length < 512) first = Buffer.concat([first, data.subarray(0, 512)]);
    });
    // It may have ended before anybody listened.
    if (carrier.destroyed || carrier.readableEnded) fail(undefined);
    await promise;
    client.removeAllListeners("error");
    client.setNoDelay(true);
    return client;
  } catch (error) {
    client.on("error", () => undefined);
    client.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

function isAuthentication(error: unknown): boolean {
  return error instanceof Error && "level" in error && error.level === "client-authentication";
}

/** Types of keys a server may show, those first that are known of it: else it would show one that is not. */
function keyOrder(types: readonly string[]): Pick<ConnectConfig, "algorithms"> {
  if (types.length === 0) return {};
  const usual: readonly ServerHostKeyAlgorithm[] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
  ];
  const isKnown = (name: string): boolean => types.includes(name.startsWith("rsa-") ? "ssh-rsa" : name);
  return { algorithms: { serverHostKey: [...usual.filter(isKnown), ...usual.filter((name) => !isKnown(name))] } };
}

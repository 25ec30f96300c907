import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Client, ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from "ssh2";
import { status } from "@grpc/grpc-js";
import { messageOf, unavailable, ZorError } from "../errors.js";
import { Authentication, ssh2 } from "./authentication.js";
import type { SshConfig, SshSettings } from "./config.js";
import { checkHostKey, type HostKeyPolicy } from "./host-key.js";
import { KnownHosts } from "./known-hosts.js";
import type { Remembered } from "./questions.js";
import { formatTarget, type SshTarget } from "./target.js";
import { authenticationFailed, cannotReach, lostWhileOpening } from "./troubles.js";

/** How a connection is made. */
export interface SshOptions {
  readonly config: SshConfig;
  /** Who is asked for passwords, passphrases and about keys; undefined: nobody is there. */
  readonly questions?: Remembered | undefined;
  /** What becomes of a server's key that is not known; default: as the configuration says, else it is asked. */
  readonly unknownKeys?: HostKeyPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what the configuration asks for and does not get. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** A command that ran. */
export interface ExecResult {
  /** undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface ExecOptions {
  readonly stdin?: string | Buffer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longest output that is kept of each stream, in bytes; more ends the command. Default 4 MiB. */
  readonly maxOutputBytes?: number | undefined;
}

const connectTimeoutMs = 10_000;
const handshakeTimeoutMs = 20_000;
const keepAliveMs = 15_000;
const maxSilent = 4;
/** sshd allows 10 commands of one connection at a time (MaxSessions); streams are not counted. */
const maxChannels = 8;
const defaultMaxOutput = 4 * 1024 * 1024;

/** One connection to a server, through those on the way, on which commands run and streams are carried. */
export class SshConnection {
  /** "user@host", "user@host:port" */
  readonly name: string;
  /** Resolves when the connection is gone, with why. */
  readonly closed: Promise<ZorError>;
  readonly #client: Client;
  readonly #hops: readonly Client[];
  readonly #waiting: (() => void)[] = [];
  readonly #opening = new Set<(error: ZorError) => void>();
  #free = maxChannels;
  #gone: ZorError | undefined;

  private constructor(name: string, clients: readonly Client[]) {
    this.name = name;
    this.#hops = clients;
    const client = clients.at(-1);
    if (client === undefined) throw new Error("a connection has at least one client");
    this.#client = client;
    const { promise, resolve } = Promise.withResolvers<ZorError>();
    this.closed = promise;
    let trouble: unknown;
    client.on("error", (error) => {
      trouble ??= error;
    });
    client.once("close", () => {
      this.#gone ??= unavailable(
        "SSH_LOST",
        name,
        `the ssh connection to ${name} was lost${trouble === undefined ? "" : `: ${messageOf(trouble)}`}`,
        trouble,
      );
      for (const hop of clients) hop.end();
      for (const wake of this.#waiting.splice(0)) wake();
      // A connection that is gone answers nothing.
      for (const give of this.#opening) give(this.#gone);
      resolve(this.#gone);
    });
  }

  /**
   * Logs in. @throws {ZorError} UNAVAILABLE (SSH_UNREACHABLE, SSH_THROTTLED, SSH_LOST), FAILED_PRECONDITION (SSH_HOST_KEY_*),
   * UNAUTHENTICATED (SSH_AUTHENTICATION) with what was tried.
   */
  static async open(target: SshTarget, options: SshOptions): Promise<SshConnection> {
    const { config, onNote, signal } = options;
    const settings = config.lookUp(target);
    const way = [...settings.jumps.map((jump) => withoutJumps(config.lookUp(jump))), settings];
    for (const note of new Set(way.flatMap(({ notes }) => notes))) onNote?.(note);
    const clients: Client[] = [];
    try {
      for (const hop of way) {
        signal?.throwIfAborted();
        const before = clients.at(-1);
        const carrier = before === undefined ? await dial(hop, signal) : await through(before, hop);
        clients.push(await logIn(hop, carrier, options));
      }
    } catch (error) {
      for (const client of clients) client.destroy();
      throw error;
    }
    return new SshConnection(nameOf(settings), clients);
  }

  /** Runs a command and waits for its end. @throws {ZorError} UNAVAILABLE when the connection is lost meanwhile. */
  async exec(
    command: string,
    { stdin, signal, maxOutputBytes = defaultMaxOutput }: ExecOptions = {},
  ): Promise<ExecResult> {
    const ended = Promise.withResolvers<void>();
    let code: number | undefined;
    let hasEnded = false;
    let onAbort = (): void => undefined;
    const [out, err] = [new Output(maxOutputBytes, () => onAbort()), new Output(maxOutputBytes, () => onAbort())];
    const channel = await this.stream(command, signal, (made) => {
      made.on("data", (data: Buffer) => out.add(data));
      made.stderr.on("data", (data: Buffer) => err.add(data));
      made.on("exit", (value: number | null) => {
        hasEnded = true;
        code = value ?? undefined;
      });
      made.on("close", () => ended.resolve());
    });
    onAbort = (): void => {
      channel.signal("TERM");
      channel.close();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (out.isOver || err.isOver) onAbort();
    channel.end(stdin);
    await ended.promise;
    signal?.removeEventListener("abort", onAbort);
    signal?.throwIfAborted();
    if (out.isOver || err.isOver) {
      const message = `a command on ${this.name} writes more than ${maxOutputBytes} bytes`;
      throw unavailable("SSH_OUTPUT", this.name, message);
    }
    if (!hasEnded) throw this.#gone ?? unavailable("SSH_LOST", this.name, `${this.name} ended a command without an exit code`);
    return { code, stdout: out.text(), stderr: err.text() };
  }

  /**
   * Starts a command when one of the eight places is free; the channel is its standard input and output, "exit" tells its code.
   * `attach` adds listeners before anything can be missed: the end of a short command comes with the answer that it began.
   */
  async stream(command: string, signal?: AbortSignal, attach?: (channel: ClientChannel) => void): Promise<ClientChannel> {
    while (this.#free === 0 && this.#gone === undefined) {
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
    this.#free -= 1;
    let isTaken = true;
    const giveBack = (): void => {
      if (!isTaken) return;
      isTaken = false;
      this.#free += 1;
      this.#waiting.shift()?.();
    };
    try {
      return await this.#channel("start a command", signal, (done) =>
        this.#client.exec(command, (error, channel) => {
          channel?.once("close", giveBack);
          if (channel !== undefined) attach?.(channel);
          done(error, channel);
        }),
      );
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** Connects to a TCP port as seen from the server (direct-tcpip). @throws {ZorError} UNAVAILABLE with why it cannot. */
  openTcp(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    return this.#channel(`connect to ${host}:${port}`, signal, (done) =>
      this.#client.forwardOut("127.0.0.1", 0, host, port, done),
    );
  }

  /** Ends the connection, and with it every command and stream. Idempotent. */
  close(): void {
    this.#gone ??= new ZorError({
      reason: "SSH_CLOSED",
      code: status.CANCELLED,
      message: `the ssh connection to ${this.name} was closed`,
    });
    for (const hop of [...this.#hops].reverse()) hop.end();
  }

  async #channel(what: string, signal: AbortSignal | undefined, open: OpenChannel): Promise<ClientChannel> {
    signal?.throwIfAborted();
    if (this.#gone !== undefined) throw this.#gone;
    const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
    this.#opening.add(reject);
    try {
      open((error, channel) => {
        channel?.on("error", () => undefined);
        if (error === undefined) resolve(channel);
        else reject(error);
      });
      const channel = await promise;
      if (signal?.aborted !== true) return channel;
      channel.close();
      throw signal.reason;
    } catch (error) {
      if (error instanceof ZorError) throw error;
      signal?.throwIfAborted();
      if (this.#gone !== undefined) throw this.#gone;
      throw unavailable("SSH_CHANNEL", this.name, `${this.name} cannot ${what}: ${channelWords(error)}`, error);
    } finally {
      this.#opening.delete(reject);
    }
  }
}

type OpenChannel = (done: (error: Error | undefined, channel: ClientChannel) => void) => void;

/** What a server answers that opens no channel, with what to do. */
function channelWords(error: unknown): string {
  const text = messageOf(error).replace(/^\(SSH\) Channel open failure: /, "");
  if (/administratively prohibited|open failed/i.test(text))
    return `${text}; its sshd does not allow it (AllowTcpForwarding, PermitOpen, MaxSessions)`;
  return /refused/i.test(text) ? `${text}; nothing listens there` : text;
}

/** Bytes of one output, up to a bound. */
class Output {
  readonly #parts: Buffer[] = [];
  readonly #most: number;
  readonly #onOver: () => void;
  #size = 0;

  constructor(most: number, onOver: () => void) {
    this.#most = most;
    this.#onOver = onOver;
  }

  get isOver(): boolean {
    return this.#size > this.#most;
  }

  add(data: Buffer): void {
    const wasOver = this.isOver;
    this.#size += data.length;
    if (!this.isOver) this.#parts.push(data);
    else if (!wasOver) this.#onOver();
  }

  text(): string {
    return Buffer.concat(this.#parts).toString("utf8");
  }
}

function nameOf({ user, hostName, alias, port }: SshSettings): string {
  return formatTarget({ user, host: alias === "" ? hostName : alias, ...(port === 22 ? {} : { port }) });
}

/** Those on the way are reached from each other, as ssh does with a list of them. */
function withoutJumps(settings: SshSettings): SshSettings {
  return { ...settings, jumps: [] };
}

async function dial(settings: SshSettings, signal: AbortSignal | undefined): Promise<Socket> {
  const { hostName, port } = settings;
  const socket = connectTcp({ host: hostName, port });
  socket.setNoDelay(true);
  const timeout = AbortSignal.timeout(connectTimeoutMs);
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

function through(before: Client, settings: SshSettings): Promise<Duplex> {
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

async function logIn(settings: SshSettings, carrier: Duplex, options: SshOptions): Promise<Client> {
  const known = await KnownHosts.read(settings.knownHostsFiles);
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

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { Client, ClientChannel } from "ssh2";
import { messageOf, unavailable, ZorError } from "../errors.js";
import { nameOf } from "./config.js";
import { KnownHosts } from "./known-hosts.js";
import { dial, logIn, type SshOptions, through, withoutJumps } from "./login.js";
import type { SshTarget } from "./target.js";
import { channelWords, isOpenFailure } from "./troubles.js";

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

/** sshd allows 10 commands of one connection at a time (MaxSessions); streams are not counted. */
const maxChannels = 8;
/** A server that refuses a command while none runs is asked again so often. */
const maxTries = 20;
const retryMs = 100;
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
      for (const settings of way) {
        signal?.throwIfAborted();
        const known = await KnownHosts.read(settings.knownHostsFiles);
        const before = clients.at(-1);
        const carrier = before === undefined ? await dial(settings, signal) : await through(before, settings);
        clients.push(await logIn({ settings, known, carrier }, options));
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
    if (!hasEnded)
      throw this.#gone ?? unavailable("SSH_LOST", this.name, `${this.name} ended a command without an exit code`);
    return { code, stdout: out.text(), stderr: err.text() };
  }

  /**
   * Starts a command when one of the eight places is free; the channel is its standard input and output, "exit" tells its code.
   * `attach` adds listeners before anything can be missed: the end of a short command comes with the answer that it began.
   */
  async stream(
    command: string,
    signal?: AbortSignal,
    attach?: (channel: ClientChannel) => void,
  ): Promise<ClientChannel> {
    for (let tries = 0; ; ) {
      while (this.#free === 0 && this.#gone === undefined) {
        await new Promise<void>((resolve) => void this.#waiting.push(resolve));
      }
      try {
        return await this.#start(command, signal, attach);
      } catch (error) {
        // sshd still counts commands that have just ended, and some let fewer run at a time than it does by itself (MaxSessions).
        const isFull = error instanceof ZorError && error.reason === "SSH_CHANNEL" && isOpenFailure(error.cause);
        tries = this.#free < maxChannels ? 0 : tries + 1;
        if (!isFull || tries >= maxTries) throw error;
        await delay(retryMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      }
    }
  }

  async #start(
    command: string,
    signal: AbortSignal | undefined,
    attach: ((channel: ClientChannel) => void) | undefined,
  ): Promise<ClientChannel> {
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

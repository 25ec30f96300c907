import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { status } from "@grpc/grpc-js";
import { Backoff } from "../backoff.js";
import { ZorError } from "../errors.js";
import type { Environment } from "../terminal.js";
import { SshConnection } from "./connection.js";
import type { SshOptions } from "./login.js";
import type { SshTarget } from "./target.js";

/** A place behind an ssh server, and how the server is reached. */
export interface ForwarderOptions extends SshOptions {
  readonly target: SshTarget;
  readonly env: Environment;
}

/** A Unix socket that leads to one place behind the server. */
export interface ForwarderDoor {
  readonly path: string;
  /** Why the last connection through it failed; undefined: it did not. */
  readonly trouble: ZorError | undefined;
  /** Takes no more connections; those that it took go on. Idempotent. */
  close(): void;
}

/** A server that does not let us in is not dialled again at once: sshd throttles, and accounts get locked. */
const pauses = { minMs: 500, maxMs: 15_000 };

/**
 * Carries connections to TCP places that an ssh server reaches, over one ssh connection that is made when the first comes and again
 * after it was lost. Each place is a Unix socket of this user alone.
 */
export class SshForwarder {
  #options: ForwarderOptions;
  readonly #directory: string;
  readonly #servers = new Set<Server>();
  #made = 0;
  readonly #sockets = new Set<Socket>();
  readonly #abort = new AbortController();
  #connection: Promise<SshConnection> | undefined;
  /** Why the last login failed. */
  #trouble: ZorError | undefined;
  readonly #backoff = new Backoff(pauses);
  #notBefore = 0;

  private constructor(options: ForwarderOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
  }

  /** Logs in when the first connection comes, or {@link ready} asks for it. */
  static async create(options: ForwarderOptions): Promise<SshForwarder> {
    const parent = options.env["XDG_RUNTIME_DIR"] || tmpdir();
    return new SshForwarder(options, await mkdtemp(join(parent, "zor-ssh-")));
  }

  /** Logs in first, so that questions are asked now. @throws {ZorError} as {@link SshConnection.open}. */
  static async open(options: ForwarderOptions): Promise<SshForwarder> {
    const forwarder = await SshForwarder.create(options);
    try {
      await forwarder.ready();
      return forwarder;
    } catch (error) {
      forwarder.close();
      throw error;
    }
  }

  /** Resolves when it is logged in. @throws {ZorError} why it cannot be, for a while also when that was found out before. */
  async ready(): Promise<void> {
    await this.#connect();
  }

  /** Listens for one place. */
  async listen(host: string, port: number): Promise<ForwarderDoor> {
    const path = join(this.#directory, `${++this.#made}`);
    let trouble: ZorError | undefined;
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
      this.#carry(socket, host, port).then(
        () => {
          trouble = undefined;
        },
        (error: unknown) => {
          if (error instanceof ZorError && !this.#abort.signal.aborted) trouble = error;
          socket.destroy();
        },
      );
    });
    this.#servers.add(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    return {
      path,
      get trouble() {
        return trouble;
      },
      close: () => {
        if (this.#servers.delete(server)) server.close();
      },
    };
  }

  /** Ends everything and removes its sockets. Idempotent. */
  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(
      new ZorError({ reason: "SSH_CLOSED", code: status.CANCELLED, message: "the ssh connection was closed" }),
    );
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#connection?.then(
      (connection) => connection.close(),
      () => undefined,
    );
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #carry(socket: Socket, host: string, port: number): Promise<void> {
    socket.pause();
    const connection = await this.#connect();
    const channel = await connection.openTcp(host, port, this.#abort.signal);
    if (socket.destroyed) channel.destroy();
    pipeline(socket, channel, socket, () => {
      socket.destroy();
      channel.destroy();
    });
  }

  #connect(): Promise<SshConnection> {
    if (this.#connection !== undefined) return this.#connection;
    if (this.#trouble !== undefined && performance.now() < this.#notBefore) return Promise.reject(this.#trouble);
    const { target, ...options } = this.#options;
    const signals = [this.#abort.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const opening = SshConnection.open(target, { ...options, signal: AbortSignal.any(signals) });
    this.#connection = opening;
    const forget = (): void => {
      if (this.#connection === opening) this.#connection = undefined;
    };
    opening.then(
      (connection) => {
        this.#backoff.reset();
        this.#trouble = undefined;
        this.#options = { ...this.#options, questions: options.questions?.quiet() };
        void connection.closed.then(forget);
      },
      (error: unknown) => {
        this.#notBefore = performance.now() + this.#backoff.nextMs();
        if (error instanceof ZorError) this.#trouble = error;
        forget();
      },
    );
    return opening;
  }
}

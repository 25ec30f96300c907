import { type ChildProcess, spawn } from "node:child_process";
import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { resourceExhausted, ZorError } from "../../lib/errors.js";
import { toStatus } from "../../lib/grpc/status-codec.js";
import type { Log } from "../../lib/log.js";
import { boundCommand, ownedEnvironment } from "../../lib/owned-process.js";
import { nodePath, programPath } from "../../lib/program.js";
import type { Identity } from "../../lib/tls/identity.js";
import { Status } from "../../proto/gen/google/rpc/status.js";
import { JoinRequest, JoinResponse } from "../../proto/gen/zor/v1/join_service.js";
import { withPort } from "../config.js";
import type { JoinOrder, JoinReport, KnownToken } from "./join-protocol.js";

/** What a {@link JoinProcess} works with. */
export interface JoinProcessOptions {
  readonly identity: Identity;
  /** SHA-256 of the hub's CA. */
  readonly caSha256: Uint8Array;
  /** All tokens there are. */
  readonly tokens: () => Promise<readonly KnownToken[]>;
  /** Turns a request into a certificate, or says why not. */
  readonly join: (request: JoinRequest) => Promise<JoinResponse>;
  readonly log: Log;
}

/** Of the process: descriptors, and heap in MiB. It has 256 connections at most. */
const maxDescriptors = 512;
const maxHeapMib = 64;
/** More requests at once than the process sends are not its own any more. */
const maxJoins = 64;
const startTimeoutMs = 20_000;
const endGraceMs = 1000;
const tokensAtOnce = 1000;

/**
 * Where tokens are taken: a process of its own, so that whoever floods the join port takes neither time nor memory nor descriptors from
 * the API. It decides about tokens that do not exist by itself; for one that does it asks the hub, by a small message. It ends with the
 * hub, and is started again when it ends without.
 */
export class JoinProcess {
  readonly #options: JoinProcessOptions;
  readonly #backoff = new Backoff({ minMs: 200, maxMs: 10_000 });
  readonly #binds = new Map<number, PromiseWithResolvers<number>>();
  /** "ip:port"s that it serves, with their real ports. */
  readonly #bound = new Set<string>();
  #identity: Identity;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #nextId = 1;
  #joins = 0;
  #closing = false;
  #again: NodeJS.Timeout | undefined;

  private constructor(options: JoinProcessOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  /** @throws {ZorError} UNAVAILABLE when the process does not start. */
  static async start(options: JoinProcessOptions): Promise<JoinProcess> {
    const join = new JoinProcess(options);
    await join.#start();
    return join;
  }

  /** Its process, for those who look after it. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Binds an address; resolves to the real port. @throws {ZorError} UNAVAILABLE, whose cause has the system's code. */
  async bind(address: string): Promise<number> {
    const port = await this.#bind(address);
    this.#bound.add(withPort(address, port));
    return port;
  }

  /** Presents a renewed certificate to those who connect from now on. */
  renew(identity: Identity): void {
    this.#identity = identity;
    this.#send({ type: "identity", identity });
  }

  /** Tells of tokens that were made, used or removed. */
  tell(tokens: readonly KnownToken[]): void {
    this.#send({ type: "tokens", tokens });
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#again);
    const child = this.#child;
    if (child === undefined) return;
    if (child.connected) child.disconnect();
    const kill = setTimeout(() => child.kill("SIGKILL"), endGraceMs);
    await this.#ended;
    clearTimeout(kill);
  }

  async #start(): Promise<void> {
    const flags = [`--max-old-space-size=${maxHeapMib}`, "--max-semi-space-size=2"];
    const limited = [`--nofile=${maxDescriptors}:${maxDescriptors}`, nodePath, ...flags, programPath("join")];
    const [command, args] = boundCommand("prlimit", limited);
    const child = spawn(command, args, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
      env: { ...process.env, ...ownedEnvironment },
    });
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => ready.reject(error));
      child.once("exit", (code, signal) => {
        const how = signal ?? String(code ?? "");
        ready.reject(new Error(`it ended with ${how}`));
        this.#onExit(child, how);
        resolve();
      });
    });
    // Only that program has the other end.
    child.on("message", (message) => void this.#onReport(message as JoinReport, ready.resolve));
    const timer = setTimeout(() => ready.reject(new Error("it says nothing")), startTimeoutMs);
    try {
      await ready.promise;
      this.#send({ type: "setup", identity: this.#identity, caSha256: this.#options.caSha256 });
      const tokens = await this.#options.tokens();
      for (let at = 0; at < tokens.length; at += tokensAtOnce) this.tell(tokens.slice(at, at + tokensAtOnce));
      for (const address of this.#bound) await this.#bind(address);
      this.#backoff.reset();
    } catch (error) {
      child.kill("SIGKILL");
      throw cannotJoin("the hub's join process cannot be started", error);
    } finally {
      clearTimeout(timer);
    }
  }

  #onExit(child: ChildProcess, how: string): void {
    if (this.#child === child) this.#child = undefined;
    for (const { reject } of this.#binds.values()) reject(new Error("the join process ended"));
    if (this.#closing || this.#again !== undefined) return;
    const waitMs = this.#backoff.nextMs();
    this.#options.log.error({ how, waitMs }, "the join process ended; nobody can join until it has started again");
    this.#again = setTimeout(() => {
      this.#again = undefined;
      this.#start().catch((error: unknown) => this.#options.log.error({ err: error }, "nobody can join"));
    }, waitMs);
  }

  async #bind(address: string): Promise<number> {
    const id = this.#nextId;
    this.#nextId += 1;
    const bound = Promise.withResolvers<number>();
    this.#binds.set(id, bound);
    try {
      this.#send({ type: "listen", id, address });
      return await bound.promise;
    } finally {
      this.#binds.delete(id);
    }
  }

  #send(order: JoinOrder): void {
    // One that has just ended is told everything again when it is started.
    if (this.#child?.connected === true) this.#child.send(order, () => undefined);
  }

  async #onReport(message: JoinReport, ready: () => void): Promise<void> {
    switch (message.type) {
      case "ready":
        ready();
        return;
      case "bound":
        this.#binds.get(message.id)?.resolve(message.port);
        return;
      case "unbound":
        this.#binds
          .get(message.id)
          ?.reject(cannotJoin(message.message, Object.assign(new Error(message.message), { code: message.code })));
        return;
      case "join": {
        const { id, request } = message;
        const answer = await this.#join(request);
        this.#send({ type: "answer", id, ...answer });
        return;
      }
      default:
        this.#options.log.error({ message: JSON.stringify(message satisfies never) }, "not a report");
    }
  }

  async #join(bytes: Uint8Array): Promise<{ readonly response: Uint8Array } | { readonly status: Uint8Array }> {
    this.#joins += 1;
    try {
      if (this.#joins > maxJoins) throw resourceExhausted("JOIN_BUSY", "many join at the same time; try again");
      return { response: JoinResponse.encode(await this.#options.join(JoinRequest.decode(bytes))).finish() };
    } catch (error) {
      const known = error instanceof ZorError && error.code !== status.INTERNAL;
      this.#options.log[known ? "debug" : "error"](known ? { reason: error.reason } : { err: error }, "joining failed");
      return { status: Status.encode(toStatus(error)).finish() };
    } finally {
      this.#joins -= 1;
    }
  }
}

function cannotJoin(message: string, cause: unknown): ZorError {
  return new ZorError({ reason: "CANNOT_LISTEN", code: status.UNAVAILABLE, message, cause });
}

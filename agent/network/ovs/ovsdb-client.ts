import { createConnection, type Socket } from "node:net";
import { messageOf, unavailable } from "../../../lib/errors.js";
import { JsonSplitter } from "./json-splitter.js";
import type { OvsdbRow } from "./ovsdb-values.js";

/** One operation of a transaction (RFC 7047, section 5.2). */
export interface OvsdbOperation {
  readonly op: "insert" | "select" | "update" | "mutate" | "delete" | "wait" | "comment" | "assert";
  readonly table?: string;
  readonly [member: string]: unknown;
}

/** Result of one operation. */
export interface OperationResult {
  readonly uuid?: readonly ["uuid", string];
  readonly rows?: readonly OvsdbRow[];
  readonly count?: number;
}

/** Changed rows by table and uuid; `new` absent: the row was deleted. */
export type TableUpdates = Readonly<
  Record<string, Readonly<Record<string, { readonly old?: OvsdbRow; readonly new?: OvsdbRow }>>>
>;

/** The database refused an operation. */
export class OvsdbError extends Error {
  override readonly name = "OvsdbError";
  constructor(
    /** The database's own word for it, such as "constraint violation". */
    readonly error: string,
    details: string,
  ) {
    super(`OVSDB refused: ${error}${details === "" ? "" : ` (${details})`}`);
  }
}

/** How to connect. */
export interface OvsdbClientOptions {
  /** Longest wait for the connection and for each answer, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** OVSDB's management protocol over a unix socket (RFC 7047). Answers the server's echo requests. Does not reconnect. */
export class OvsdbClient {
  readonly #splitter = new JsonSplitter();
  readonly #waiting = new Map<number, Waiter>();
  readonly #monitors = new Map<string, (updates: TableUpdates) => void>();
  readonly #closed = Promise.withResolvers<void>();
  #nextId = 1;
  #failure: unknown;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
  }

  /** Connects to a socket path. @throws {ZorError} UNAVAILABLE */
  static connect(path: string, options: OvsdbClientOptions = {}): Promise<OvsdbClient> {
    const timeoutMs = options.timeoutMs ?? 10_000;
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const refuse = (cause: unknown) => {
        clearTimeout(timer);
        socket.destroy();
        reject(lost(cause));
      };
      const timer = setTimeout(() => refuse(new Error("no connection in time")), timeoutMs);
      socket.once("error", refuse);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", refuse);
        resolve(new OvsdbClient(socket, timeoutMs));
      });
    });
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Runs operations as one transaction on the Open_vSwitch database: all or nothing.
   * @throws {OvsdbError} when one is refused; {ZorError} UNAVAILABLE when the connection is lost, and then it may have been done.
   */
  async transact(operations: readonly OvsdbOperation[]): Promise<readonly OperationResult[]> {
    const results = await this.#request("transact", ["Open_vSwitch", ...operations]);
    if (!Array.isArray(results)) throw new OvsdbError("bad answer", "transact did not return a list");
    // Elements are results, nulls after a failed one, or errors (RFC 7047, section 4.1.3).
    for (const result of results as ({ error?: string; details?: string } | null)[]) {
      if (typeof result?.error === "string") throw new OvsdbError(result.error, result.details ?? "");
    }
    return results as OperationResult[];
  }

  /** Watches columns of tables. Resolves to all rows as they are; later changes go to the callback, none is missed. */
  async monitor(
    id: string,
    tables: Readonly<Record<string, readonly string[]>>,
    onUpdate: (updates: TableUpdates) => void,
  ): Promise<TableUpdates> {
    this.#monitors.set(id, onUpdate);
    const requests = Object.fromEntries(Object.entries(tables).map(([table, columns]) => [table, [{ columns }]]));
    // The answer has the shape of an update (RFC 7047, section 4.1.5).
    return (await this.#request("monitor", ["Open_vSwitch", id, requests])) as TableUpdates;
  }

  /** Proves that the server answers. */
  async echo(): Promise<void> {
    await this.#request("echo", []);
  }

  /** Ends the connection; waiting calls are rejected. */
  close(): void {
    this.socket.destroy();
    this.#fail(new Error("the connection was closed by us"));
  }

  #request(method: string, params: readonly unknown[]): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(lost(this.#failure));
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(lost(new Error(`no answer to ${method} within ${this.timeoutMs} ms`)));
      }, this.timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.socket.write(JSON.stringify({ id, method, params }));
    });
  }

  #read(chunk: Buffer): void {
    try {
      for (const message of this.#splitter.push(chunk)) this.#handle(message);
    } catch (error) {
      this.socket.destroy();
      this.#fail(error);
    }
  }

  #handle(message: unknown): void {
    if (typeof message !== "object" || message === null) throw new Error("a message is not an object");
    const { id, method, params, result, error } = message as Record<string, unknown>; // checked field by field below
    if (method === "echo") this.socket.write(JSON.stringify({ id, result: params ?? [], error: null }));
    else if (method === "update" && Array.isArray(params)) {
      this.#monitors.get(String(params[0]))?.(params[1] as TableUpdates); // RFC 7047, section 4.1.6
    } else if (method === undefined && typeof id === "number") this.#answer(id, result, error);
  }

  #answer(id: number, result: unknown, error: unknown): void {
    const waiter = this.#waiting.get(id);
    if (waiter === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiter.timer);
    if (error === null || error === undefined) waiter.resolve(result);
    else waiter.reject(new OvsdbError("request failed", JSON.stringify(error)));
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = cause;
    for (const waiter of this.#waiting.values()) {
      clearTimeout(waiter.timer);
      waiter.reject(lost(cause));
    }
    this.#waiting.clear();
    this.#closed.resolve();
  }
}

function lost(cause: unknown): Error {
  return unavailable(
    "SWITCH_UNAVAILABLE",
    "",
    `the switch's database does not answer (${messageOf(cause)}); the agent restarts it by itself`,
    cause,
  );
}

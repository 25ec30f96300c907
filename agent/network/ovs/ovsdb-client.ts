import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { JsonRpc, JsonRpcError } from "./json-rpc.js";
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
export class OvsdbError extends ZorError {
  override readonly name = "OvsdbError";
  constructor(
    /** The database's own word for it, such as "constraint violation". */
    readonly error: string,
    details: string,
  ) {
    const why = `OVSDB refused: ${error}${details === "" ? "" : ` (${details})`}`;
    const message = `${why}; see that the host's disk is not full, and the agent's log`;
    super({ reason: "SWITCH_FAILED", code: status.UNAVAILABLE, message, resource: "" });
  }
}

/** How to connect. */
export interface OvsdbClientOptions {
  /** Longest wait for the connection and for each answer, in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

type Monitors = Map<string, (updates: TableUpdates) => void>;

/** OVSDB's management protocol over a unix socket (RFC 7047). Answers the server's echo requests. Does not reconnect. */
export class OvsdbClient {
  private constructor(
    private readonly rpc: JsonRpc,
    private readonly monitors: Monitors,
  ) {}

  /** Connects to a socket path. @throws {ZorError} UNAVAILABLE */
  static async connect(path: string, options: OvsdbClientOptions = {}): Promise<OvsdbClient> {
    const monitors: Monitors = new Map();
    const onNotice = (method: string, params: readonly unknown[]): void => {
      if (method === "update") monitors.get(String(params[0]))?.(params[1] as TableUpdates); // RFC 7047, section 4.1.6
    };
    return new OvsdbClient(
      await JsonRpc.connect(path, { ...options, peer: "the switch's database", onNotice }),
      monitors,
    );
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get closed(): Promise<void> {
    return this.rpc.closed;
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
    this.monitors.set(id, onUpdate);
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
    this.rpc.close();
  }

  async #request(method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      return await this.rpc.request(method, params);
    } catch (error) {
      throw error instanceof JsonRpcError ? new OvsdbError("request failed", error.message) : error;
    }
  }
}

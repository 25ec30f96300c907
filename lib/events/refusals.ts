import { status } from "@grpc/grpc-js";
import { ZorError } from "../errors.js";

/** A call that was refused. */
export interface RefusedCall {
  /** Identity of the caller; "": nobody that is known. */
  readonly caller: string;
  readonly error: unknown;
}

/** What is told of refused calls. */
export interface RefusalNews {
  readonly caller: string;
  readonly message: string;
}

/** What refusals are told with. */
export interface RefusalsOptions {
  readonly tell: (news: RefusalNews) => void;
  /** Within this time a caller is told of once, and then how many more there were; default: 60 s. */
  readonly windowMs?: number;
  /** Callers that are told apart within that time; default: 64. */
  readonly maxCallers?: number;
}

interface Window {
  more: number;
  last: string;
  readonly timer: NodeJS.Timeout;
}

const others = "others";
/** Of what was said to the caller. */
const maxTold = 500;
const refusing: ReadonlySet<number> = new Set([status.PERMISSION_DENIED, status.UNAUTHENTICATED]);

/**
 * Tells of calls that were refused for lack of rights: the first of a caller at once, and those that follow within a minute by their
 * number, so that whoever tries many can neither hide nor make all other events go by.
 */
export class Refusals {
  readonly #tell: RefusalsOptions["tell"];
  readonly #windowMs: number;
  readonly #maxCallers: number;
  readonly #windows = new Map<string, Window>();

  constructor({ tell, windowMs = 60_000, maxCallers = 64 }: RefusalsOptions) {
    this.#tell = tell;
    this.#windowMs = windowMs;
    this.#maxCallers = maxCallers;
  }

  /** Notes how a call ended; only those count that were refused for lack of rights. */
  note({ caller, error }: RefusedCall): void {
    if (!(error instanceof ZorError) || !refusing.has(error.code)) return;
    const isApart = this.#windows.has(caller) || this.#windows.size < this.#maxCallers;
    const key = isApart ? caller : others;
    const text = error.message.length > maxTold ? `${error.message.slice(0, maxTold)}…` : error.message;
    const window = this.#windows.get(key);
    if (window !== undefined) {
      window.more += 1;
      window.last = text;
      return;
    }
    const timer = setTimeout(() => this.#end(key), this.#windowMs).unref();
    this.#windows.set(key, { more: 0, last: "", timer });
    this.#tell({ caller, message: `a call was refused: ${text}` });
  }

  /** Tells what was counted. */
  close(): void {
    for (const key of [...this.#windows.keys()]) this.#end(key);
  }

  #end(key: string): void {
    const window = this.#windows.get(key);
    if (window === undefined) return;
    clearTimeout(window.timer);
    this.#windows.delete(key);
    if (window.more === 0) return;
    const whose = key === others ? " of several callers" : "";
    const message = `${window.more} more calls${whose} were refused within ${Math.round(this.#windowMs / 1000)} s; the last: ${window.last}`;
    this.#tell({ caller: key === others ? "" : key, message });
  }
}

import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type AttachConsoleRequest,
  type ConsoleOpen,
  type ConsoleOpened,
  ConsoleServiceService,
} from "../../proto/gen/zor/v1/console_service.js";
import type { LogPosition } from "../../proto/gen/zor/v1/log.js";

/** Why a console that was followed ended. */
export type ConsoleEnd =
  /** The person pressed the detach key, or the caller aborted. */
  | { readonly kind: "detached" }
  /** The console ended at the instance's side; `reason` is from outside: escape it. */
  | { readonly kind: "closed"; readonly reason: string };

/** Who follows a console. */
export interface ConsoleFollower {
  /** What a new call sends, the opening first. */
  begin(open: ConsoleOpen): AsyncIterable<AttachConsoleRequest>;
  /** What the call is opened with, besides its name and where it goes on. */
  opening(): Pick<ConsoleOpen, "replayBytes" | "size" | "port" | "readOnly">;
  /** It is there, for the first time or again. */
  opened(opened: ConsoleOpened): Promise<void>;
  /** Takes what the console says; no more is read meanwhile. */
  data(data: Uint8Array): Promise<void>;
  /** The connection was lost, and is made again; told at each attempt that fails. */
  lost(error: unknown): Promise<void>;
  /** Whether another call would miss nothing of what is to be sent. */
  mayGoOn(): boolean;
  readonly signal: AbortSignal;
}

/** Waits between attempts to have a lost console back. */
const retry = { minMs: 200, maxMs: 2000 };
/** Of a console whose driver knows no positions: only what comes from now on is shown. */
const nowhere: LogPosition = { log: "none", at: 0n };

/**
 * Follows the console of "hosts/{host}/instances/{instance}" until it closes or the signal aborts. A connection that is lost is made again,
 * and goes on where the output was. @throws {ZorError} when it cannot be opened.
 */
export async function followConsole(
  connection: Connection,
  name: string,
  follower: ConsoleFollower,
): Promise<ConsoleEnd> {
  const { signal } = follower;
  const attachment = new Attachment(connection, name, follower);
  const backoff = new Backoff(retry);
  for (;;) {
    try {
      return await attachment.follow(() => backoff.reset());
    } catch (error) {
      if (signal.aborted) return { kind: "detached" };
      if (!attachment.wasOpen || !follower.mayGoOn() || !isLost(error)) throw error;
      await follower.lost(error);
      await backoff.wait(signal);
      if (signal.aborted) return { kind: "detached" };
    }
  }
}

/** A console that is attached, again and again if need be. */
class Attachment {
  readonly #connection: Connection;
  readonly #name: string;
  readonly #follower: ConsoleFollower;
  #position: LogPosition | undefined;
  wasOpen = false;

  constructor(connection: Connection, name: string, follower: ConsoleFollower) {
    this.#connection = connection;
    this.#name = name;
    this.#follower = follower;
  }

  /** Follows the console until it closes. @param onOpen told when it is there. @throws what the call throws. */
  async follow(onOpen: () => void): Promise<ConsoleEnd> {
    const follower = this.#follower;
    const opening = follower.opening();
    const requests = follower.begin({
      ...opening,
      name: this.#name,
      replayBytes: this.wasOpen ? 0 : opening.replayBytes,
      resume: this.wasOpen ? (this.#position ?? nowhere) : undefined,
    });
    const { signal } = follower;
    for await (const response of this.#connection.bidi(ConsoleServiceService.attachConsole, requests, { signal })) {
      const { message, position } = response;
      if (message?.$case === "opened") {
        onOpen();
        await follower.opened(message.value);
        this.wasOpen = true;
      }
      if (message?.$case === "data") await follower.data(message.value);
      if (message?.$case === "closed") return { kind: "closed", reason: message.value.reason };
      this.#position = position ?? this.#position;
    }
    return { kind: "closed", reason: "the console ended" };
  }
}

const lostCodes: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]);

/** Whether what was attached may be there again soon. */
function isLost(error: unknown): boolean {
  return error instanceof ZorError && (lostCodes.has(error.code) || error.reason === "CONSOLE_READER_TOO_SLOW");
}

import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import { Backoff } from "../../lib/backoff.js";
import { messageOf, ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type AttachConsoleResponse,
  type ConsoleOpened,
  type ConsoleSession,
  ConsoleServiceService,
} from "../../proto/gen/zor/v1/console_service.js";
import type { LogPosition } from "../../proto/gen/zor/v1/log.js";
import { escapeText } from "../kit/text/escape.js";
import { shortName } from "../kit/resource-name.js";
import { type ConsoleInput, consoleInput } from "./console-input.js";
import { type Terminal, terminalSize } from "./raw-terminal.js";

/** How people call the detach key. */
export const detachKey = "Ctrl-]";

/** Why an attached console ended. */
export type ConsoleEnd =
  /** The person pressed the detach key, or the caller aborted. */
  | { readonly kind: "detached" }
  /** The console ended at the instance's side; `reason` is from outside: escape it. */
  | { readonly kind: "closed"; readonly reason: string };

/** How a console is attached. */
export interface ConsoleOptions {
  /** Ends the attachment as the detach key does. */
  readonly signal?: AbortSignal;
  /** Bytes of recent output to show first, 0 to 65536; default 4096. */
  readonly replayBytes?: number;
  /** Serial port, 0 to 3; default 0. */
  readonly port?: number;
  /** Only look; default: type too, as far as the role allows it. */
  readonly readOnly?: boolean;
  /** Takes what the console shows besides the terminal; the console waits for it. */
  readonly record?: (data: Uint8Array) => Promise<void>;
  /** Told, where the output is no terminal, what a terminal shows between the lines: that it was lost and is there again. */
  readonly onNotice?: (text: string) => void;
}

const defaultReplayBytes = 4096;
/** Waits between attempts to have a lost console back. */
const retry = { minMs: 200, maxMs: 2000 };

/**
 * Connects a terminal to the serial console of "hosts/{host}/instances/{instance}" until it is detached or closes. The
 * console's bytes reach the terminal as they are. A terminal is in raw mode meanwhile, and is restored on every way out;
 * the input is left paused. With a pipe as input, everything is sent and the console is shown until it closes.
 * A connection that is lost is made again, unless input of a pipe may be lost with it, and goes on where the output was.
 * @throws {ZorError} when the console cannot be attached.
 */
export async function attachConsole(
  connection: Connection,
  name: string,
  terminal: Terminal,
  options: ConsoleOptions = {},
): Promise<ConsoleEnd> {
  const detach = new AbortController();
  const signal = AbortSignal.any([detach.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  using input = consoleInput(terminal, () => detach.abort());
  const attachment = new Attachment({ connection, name, terminal, input, options, signal });
  const backoff = new Backoff(retry);
  for (;;) {
    try {
      return await attachment.follow(() => backoff.reset());
    } catch (error) {
      if (signal.aborted) return { kind: "detached" };
      if (!attachment.wasOpen || !input.isComplete || !isLost(error)) throw error;
      await attachment.lost(error);
      await backoff.wait(signal);
      if (signal.aborted) return { kind: "detached" };
    }
  }
}

interface AttachmentParts {
  readonly connection: Connection;
  readonly name: string;
  readonly terminal: Terminal;
  readonly input: ConsoleInput;
  readonly options: ConsoleOptions;
  readonly signal: AbortSignal;
}

/** A console that is attached, again and again if need be. */
class Attachment {
  readonly #parts: AttachmentParts;
  #position: LogPosition | undefined;
  #isLost = false;
  wasOpen = false;

  constructor(parts: AttachmentParts) {
    this.#parts = parts;
  }

  /** Shows the console until it closes. @param onOpen told when it is there. @throws what the call throws. */
  async follow(onOpen: () => void): Promise<ConsoleEnd> {
    const { connection, name, terminal, input, options, signal } = this.#parts;
    const requests = input.begin({
      name,
      replayBytes: this.wasOpen ? 0 : (options.replayBytes ?? defaultReplayBytes),
      size: terminalSize(terminal.output),
      port: options.port ?? 0,
      readOnly: options.readOnly === true,
      resume: this.wasOpen ? (this.#position ?? nowhere) : undefined,
    });
    for await (const response of connection.bidi(ConsoleServiceService.attachConsole, requests, { signal })) {
      const { message } = response;
      if (message?.$case === "opened") {
        onOpen();
        await this.#opened(message.value);
      }
      if (message?.$case === "data") await this.#show(message.value);
      if (message?.$case === "closed") return { kind: "closed", reason: message.value.reason };
      this.#passed(response);
    }
    return { kind: "closed", reason: "the console ended" };
  }

  /** Tells that the connection is lost, once. */
  async lost(error: unknown): Promise<void> {
    if (this.#isLost) return;
    this.#isLost = true;
    const why = escapeText(messageOf(error));
    await this.#notice(`the connection was lost (${why}); trying to have it back, ${detachKey} detaches`);
  }

  async #opened(opened: ConsoleOpened): Promise<void> {
    const { name, terminal, input, options } = this.#parts;
    if (this.#isLost) {
      const gap = opened.missing ? "some of the output meanwhile may be missing" : "no output is missing";
      await this.#notice(`attached again; ${gap}`);
    } else if (terminal.output.isTTY === true) {
      await this.#write(banner(name, opened, options.readOnly === true));
    }
    this.#isLost = false;
    this.wasOpen = true;
    input.start(opened.writable);
  }

  #passed({ position }: AttachConsoleResponse): void {
    this.#position = position ?? this.#position;
  }

  async #show(data: Uint8Array): Promise<void> {
    await this.#write(data);
    await this.#parts.options.record?.(data);
  }

  async #notice(text: string): Promise<void> {
    if (this.#parts.terminal.output.isTTY === true) await this.#write(`\r\n[zor: ${text}]\r\n`);
    else this.#parts.options.onNotice?.(text);
  }

  async #write(data: string | Uint8Array): Promise<void> {
    const { terminal, signal } = this.#parts;
    if (!terminal.output.write(data)) await once(terminal.output, "drain", { signal });
  }
}

/** Of a console whose driver knows no positions: only what comes from now on is shown. */
const nowhere: LogPosition = { log: "none", at: 0n };

const lostCodes: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]);

/** Whether what was attached may be there again soon. */
function isLost(error: unknown): boolean {
  return error instanceof ZorError && lostCodes.has(error.code);
}

function banner(name: string, { writable, others }: ConsoleOpened, readOnly: boolean): string {
  const why = readOnly ? "as you asked" : "your role may look, not type";
  const rights = writable ? "" : ` (read only: ${why})`;
  const company = others.length === 0 ? "" : `Also attached: ${others.map(sessionText).join(", ")}.\r\n`;
  return `Attached to ${escapeText(shortName(name))}${rights}. Detach with ${detachKey}.\r\n${company}`;
}

/** "ana", or "bob (looks)". */
export function sessionText({ caller, writable }: Pick<ConsoleSession, "caller" | "writable">): string {
  return `${escapeText(caller.replace(/^zor:\/\/\w+\//, ""))}${writable ? "" : " (looks)"}`;
}

import { once } from "node:events";
import { messageOf } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import type { ConsoleOpened, ConsoleSession } from "../../proto/gen/zor/v1/console_service.js";
import { shortIdentity, shortName } from "../kit/resource-name.js";
import { escapeText } from "../kit/text/escape.js";
import { type ConsoleInput, consoleInput } from "./console-input.js";
import { type ConsoleEnd, followConsole } from "./follow-console.js";
import { type Terminal, terminalSize } from "./raw-terminal.js";

/** How people call the detach key. */
export const detachKey = "Ctrl-]";

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
  const view = new TerminalView({ name, terminal, input, options, signal });
  return await followConsole(connection, name, {
    signal,
    begin: (open) => input.begin(open),
    opening: () => ({
      replayBytes: options.replayBytes ?? defaultReplayBytes,
      size: terminalSize(terminal.output),
      port: options.port ?? 0,
      readOnly: options.readOnly === true,
    }),
    opened: (opened) => view.opened(opened),
    data: (data) => view.show(data),
    lost: (error) => view.lost(error),
    mayGoOn: () => input.isComplete,
  });
}

interface ViewParts {
  readonly name: string;
  readonly terminal: Terminal;
  readonly input: ConsoleInput;
  readonly options: ConsoleOptions;
  readonly signal: AbortSignal;
}

/** A console in a terminal of its own. */
class TerminalView {
  readonly #parts: ViewParts;
  #isLost = false;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  /** Tells that the connection is lost, once. */
  async lost(error: unknown): Promise<void> {
    if (this.#isLost) return;
    this.#isLost = true;
    const why = escapeText(messageOf(error));
    await this.#notice(`the connection was lost (${why}); trying to have it back, ${detachKey} detaches`);
  }

  /** Tells that it is there, and lets be typed. */
  async opened(opened: ConsoleOpened): Promise<void> {
    const { name, terminal, input, options } = this.#parts;
    if (this.#isLost) {
      const gap = opened.missing ? "some of the output meanwhile may be missing" : "no output is missing";
      await this.#notice(`attached again; ${gap}`);
    } else if (terminal.output.isTTY === true) {
      await this.#write(banner(name, opened, options.readOnly === true));
    }
    this.#isLost = false;
    input.start(opened.writable);
  }

  /** Shows what the guest says. */
  async show(data: Uint8Array): Promise<void> {
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

function banner(name: string, { writable, others }: ConsoleOpened, readOnly: boolean): string {
  const why = readOnly ? "as you asked" : "your role may look, not type";
  const rights = writable ? "" : ` (read only: ${why})`;
  const company = others.length === 0 ? "" : `Also attached: ${others.map(sessionText).join(", ")}.\r\n`;
  return `Attached to ${escapeText(shortName(name))}${rights}. Detach with ${detachKey}.\r\n${company}`;
}

/** "ana", or "bob (looks)". */
export function sessionText({ caller, writable }: Pick<ConsoleSession, "caller" | "writable">): string {
  return `${escapeText(shortIdentity(caller))}${writable ? "" : " (looks)"}`;
}

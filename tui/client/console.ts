import { once } from "node:events";
import { PassThrough } from "node:stream";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type AttachConsoleRequest,
  type ConsoleOpen,
  ConsoleServiceService,
} from "../../proto/gen/zor/v1/console_service.js";
import { escapeText } from "../kit/text/escape.js";
import { enterRawMode, type Terminal, terminalSize } from "./raw-terminal.js";
import { shortName } from "../kit/resource-name.js";

/** The one key that is not sent to the instance: Ctrl-]. */
const detachByte = 0x1d;

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
}

/**
 * Connects a terminal to the serial console of "hosts/{host}/instances/{instance}" until it is detached or closes. The
 * console's bytes reach the terminal as they are. A terminal is in raw mode meanwhile, and is restored on every way out;
 * the input is left paused. With a pipe as input, everything is sent and the console is shown until it closes.
 * @throws {ZorError} when the console cannot be attached or the connection is lost.
 */
export async function attachConsole(
  connection: Connection,
  name: string,
  terminal: Terminal,
  options: ConsoleOptions = {},
): Promise<ConsoleEnd> {
  const { output } = terminal;
  const detach = new AbortController();
  const signal = AbortSignal.any([detach.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  using sender = sendInput(terminal, () => detach.abort());
  const size = terminalSize(output);
  sender.open({ name, replayBytes: options.replayBytes ?? 4096, size, port: options.port ?? 0 });
  try {
    const responses = connection.bidi(ConsoleServiceService.attachConsole, sender.requests, { signal });
    for await (const { message } of responses) {
      if (message?.$case === "opened") {
        if (output.isTTY === true) await show(terminal, banner(name, message.value.writable), signal);
        sender.start();
      }
      if (message?.$case === "data") await show(terminal, message.value, signal);
      if (message?.$case === "closed") return { kind: "closed", reason: message.value.reason };
    }
    return { kind: "closed", reason: "the console ended" };
  } catch (error) {
    if (signal.aborted) return { kind: "detached" };
    throw error;
  }
}

function banner(name: string, writable: boolean): string {
  const rights = writable ? "" : " (read only: your role may look, not type)";
  return `Attached to ${escapeText(shortName(name))}${rights}. Detach with ${detachKey}.\r\n`;
}

async function show({ output }: Terminal, data: string | Uint8Array, signal: AbortSignal): Promise<void> {
  if (!output.write(data)) await once(output, "drain", { signal });
}

interface InputSender extends Disposable {
  readonly requests: AsyncIterable<AttachConsoleRequest>;
  /** Queues the first message. */
  open(value: ConsoleOpen): void;
  /** Begins to take input; until then nothing typed is read. */
  start(): void;
}

/** Turns what is typed, and changes of size, into requests; reads no faster than they are taken. */
function sendInput(terminal: Terminal, onDetach: () => void): InputSender {
  const { input, output } = terminal;
  const interactive = input.isTTY === true;
  const requests = new PassThrough({ objectMode: true, highWaterMark: 32 });
  const rawMode = new DisposableStack();
  const send = (message: NonNullable<AttachConsoleRequest["message"]>): void => {
    if (!requests.writable) return;
    const request: AttachConsoleRequest = { message };
    if (!requests.write(request)) input.pause();
  };
  const onData = (chunk: Buffer | string): void => {
    const bytes = Buffer.from(chunk);
    const at = interactive ? bytes.indexOf(detachByte) : -1;
    const typed = at < 0 ? bytes : bytes.subarray(0, at);
    if (typed.length > 0) send({ $case: "data", value: typed });
    if (at >= 0) onDetach();
  };
  const onDrain = (): void => {
    input.resume();
  };
  const onEnd = (): void => {
    requests.end();
  };
  const onResize = (): void => {
    const size = terminalSize(output);
    if (size !== undefined) send({ $case: "resize", value: size });
  };
  return {
    requests,
    open: (value) => send({ $case: "open", value }),
    start: () => {
      rawMode.use(enterRawMode(terminal));
      input.on("data", onData);
      input.on("end", onEnd);
      requests.on("drain", onDrain);
      output.on("resize", onResize);
      input.resume();
    },
    [Symbol.dispose]: () => {
      input.off("data", onData);
      input.off("end", onEnd);
      requests.off("drain", onDrain);
      output.off("resize", onResize);
      input.pause();
      requests.end();
      rawMode.dispose();
    },
  };
}

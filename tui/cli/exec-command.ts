import { once } from "node:events";
import { PassThrough } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { unavailable } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type ExecExit,
  type ExecRequest,
  ExecServiceService,
  type ExecStart,
  type ExecStarted,
} from "../../proto/gen/zor/v1/exec_service.js";
import { escapeText } from "../kit/text/escape.js";
import { enterRawMode, type TerminalOutput, terminalSize } from "../client/raw-terminal.js";
import type { CliIo } from "./session.js";

/**
 * Runs a command in an instance with this process's streams. Without a terminal of its own its output is escaped where it
 * would reach our terminal, and passed on byte by byte where it goes to a pipe or file.
 * Resolves to how it ended, or to its pid when it was left running.
 * @throws {ZorError} when the command cannot be run or the connection is lost before it ends.
 */
export async function execCommand(
  connection: Connection,
  { terminal, errors, signal }: CliIo,
  start: Omit<ExecStart, "size">,
): Promise<ExecExit | ExecStarted> {
  const requests = new PassThrough({ objectMode: true, highWaterMark: 32 });
  const send = (message: NonNullable<ExecRequest["message"]>): void => {
    if (requests.writable && !requests.write({ message } satisfies ExecRequest)) terminal.input.pause();
  };
  const size = terminalSize(terminal.output);
  send({ $case: "start", value: { ...start, size: start.tty ? size : undefined } });
  using input = new DisposableStack();
  if (start.stdin) input.use(forwardInput(terminal.input, requests, send));
  else requests.end();
  if (start.tty) {
    input.use(enterRawMode(terminal));
    const onResize = (): void => {
      const value = terminalSize(terminal.output);
      if (value !== undefined) send({ $case: "resize", value });
    };
    terminal.output.on("resize", onResize);
    input.defer(() => terminal.output.off("resize", onResize));
  }
  const stdout = writerTo(terminal.output, start.tty);
  const stderr = writerTo(errors, start.tty);
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests, { signal })) {
    if (message?.$case === "stdout") await stdout(message.value);
    if (message?.$case === "stderr") await stderr(message.value);
    if (message?.$case === "exit" || message?.$case === "started") return message.value;
  }
  throw unavailable("EXEC_LOST", start.name, "the connection ended before the command did; its agent ends it");
}

function forwardInput(
  input: CliIo["terminal"]["input"],
  requests: PassThrough,
  send: (message: NonNullable<ExecRequest["message"]>) => void,
): Disposable {
  const onData = (chunk: Buffer | string): void => send({ $case: "stdin", value: Buffer.from(chunk) });
  const onEnd = (): void => {
    send({ $case: "stdinEnd", value: {} });
    requests.end();
  };
  const onDrain = (): void => {
    input.resume();
  };
  input.on("data", onData);
  input.on("end", onEnd);
  requests.on("drain", onDrain);
  return {
    [Symbol.dispose]: () => {
      input.off("data", onData);
      input.off("end", onEnd);
      requests.off("drain", onDrain);
      input.pause();
      requests.end();
    },
  };
}

/** Writes output and waits when the stream is full; what a terminal would take for an order is escaped unless it is raw. */
export function writerTo(output: TerminalOutput, raw: boolean): (data: Buffer) => Promise<void> {
  const write = async (data: Buffer | string): Promise<void> => {
    if (!output.write(data)) await once(output, "drain");
  };
  if (raw || output.isTTY !== true) return write;
  // A character may be cut in two by the pieces output comes in.
  const decoder = new StringDecoder("utf8");
  return (data) => write(escapeOutput(decoder.write(data)));
}

/** Escapes all but line ends and tabs. */
function escapeOutput(text: string): string {
  return text.replace(/[^\n\t]+/g, (run) => escapeText(run.replace(/\r$/, "")));
}

import { PassThrough } from "node:stream";
import { unavailable } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  type OpenShellRequest,
  type ShellExit,
  type ShellOpen,
  ShellServiceService,
} from "../../proto/gen/zor/v1/shell_service.js";
import { enterRawMode, type Terminal, terminalSize } from "./raw-terminal.js";

/** The one key that is not sent to a shell's terminal: Ctrl-]. */
const leaveByte = 0x1d;

/** What a shell is opened for. */
export interface ShellCall {
  readonly open: Omit<ShellOpen, "size">;
  /** It has a terminal: this one. */
  readonly tty: boolean;
  /** Input is passed on. */
  readonly stdin: boolean;
}

/** Where a shell's input comes from and its output goes. */
export interface ShellStreams {
  readonly terminal: Terminal;
  readonly stdout: (data: Buffer) => Promise<void>;
  readonly stderr: (data: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Opens a shell on a host, or runs a command there, with this process's streams. A terminal is in raw mode meanwhile, and is restored on
 * every way out. Resolves to how it ended; undefined: it was left by Ctrl-], which ends it.
 * @throws {ZorError} when there is none for the caller, or the connection is lost before it ends.
 */
export async function runShell(
  connection: Connection,
  { open, tty, stdin }: ShellCall,
  { terminal, stdout, stderr, signal }: ShellStreams,
): Promise<ShellExit | undefined> {
  const requests = new PassThrough({ objectMode: true, highWaterMark: 32 });
  const send = (message: NonNullable<OpenShellRequest["message"]>): void => {
    if (requests.writable && !requests.write({ message } satisfies OpenShellRequest)) terminal.input.pause();
  };
  const leave = new AbortController();
  const size = tty ? (terminalSize(terminal.output) ?? { columns: 80, rows: 24 }) : undefined;
  send({ $case: "open", value: { ...open, size } });
  using input = new DisposableStack();
  const begin = (): void => {
    if (tty) {
      input.use(enterRawMode(terminal));
      const onResize = (): void => {
        const value = terminalSize(terminal.output);
        if (value !== undefined) send({ $case: "resize", value });
      };
      terminal.output.on("resize", onResize);
      input.defer(() => terminal.output.off("resize", onResize));
    }
    if (stdin) input.use(forwardTo(terminal.input, requests, { send, leave: tty ? () => leave.abort() : undefined }));
    else send({ $case: "inputEnd", value: {} });
  };
  const ending = AbortSignal.any([signal, leave.signal]);
  try {
    for await (const { message } of connection.bidi(ShellServiceService.openShell, requests, { signal: ending })) {
      if (message?.$case === "opened") begin();
      if (message?.$case === "data") await stdout(message.value);
      if (message?.$case === "errors") await stderr(message.value);
      if (message?.$case === "exit") return message.value;
    }
  } catch (error) {
    if (leave.signal.aborted) return undefined;
    throw error;
  }
  throw unavailable("SHELL_LOST", open.name, "the connection ended before the shell did; its agent ends it");
}

function forwardTo(
  input: Terminal["input"],
  requests: PassThrough,
  to: {
    readonly send: (message: NonNullable<OpenShellRequest["message"]>) => void;
    readonly leave: (() => void) | undefined;
  },
): Disposable {
  const onData = (chunk: Buffer | string): void => {
    const bytes = Buffer.from(chunk);
    const at = to.leave === undefined ? -1 : bytes.indexOf(leaveByte);
    const typed = at < 0 ? bytes : bytes.subarray(0, at);
    if (typed.length > 0) to.send({ $case: "data", value: typed });
    if (at >= 0) to.leave?.();
  };
  // The requests stay open: whoever has nothing more to say still wants to hear.
  const onEnd = (): void => to.send({ $case: "inputEnd", value: {} });
  const onDrain = (): void => void input.resume();
  input.on("data", onData);
  input.on("end", onEnd);
  requests.on("drain", onDrain);
  input.resume();
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

import { invalidArgument, invalidFields } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { checkVariables } from "../../../lib/variables.js";
import type { TerminalSize } from "../../../proto/gen/zor/v1/console_service.js";
import type {
  ExecRequest,
  ExecResponse,
  ExecServiceService,
  ExecStart,
} from "../../../proto/gen/zor/v1/exec_service.js";
import type { ExecCommand, ExecOutput } from "../../drivers/driver.js";
import type { HostScope } from "../../kit/host-scope.js";
import { readAhead } from "./exec-input.js";
import type { InstanceManager } from "./manager.js";
import { checkSize } from "./terminal-size.js";

/** What the exec service works with. */
export interface ExecServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
}

/** Linux allows 128 KiB for one argument; the guest agent's messages are smaller than its sum. */
const maxCommandBytes = 65_536;
const defaultSize: TerminalSize = { columns: 80, rows: 24 };

/** The exec service of this host. */
export function execService(options: ExecServiceOptions): Handlers<typeof ExecServiceService> {
  return { exec: (requests, context) => exec(options, requests, context) };
}

async function* exec(
  { scope, manager }: ExecServiceOptions,
  requests: AsyncIterable<ExecRequest>,
  context: CallContext,
): AsyncIterable<ExecResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const start = readStart(await iterator.next());
  const id = scope.parse("instance", "start.name", start.name);
  checkStart(start);
  const { columns, rows } = start.size === undefined ? defaultSize : checkSize("start.size", start.size);
  const abort = new AbortController();
  const signal = AbortSignal.any([context.signal, abort.signal]);
  const input = readAhead(iterator, start, (error) => abort.abort(error));
  const command: ExecCommand = {
    command: start.command,
    environment: start.environment,
    tty: start.tty,
    columns,
    rows,
    stdin: start.stdin ? input.stdin : undefined,
  };
  try {
    for await (const output of manager.exec(id, command, { signal, resizes: input.resizes })) yield toResponse(output);
  } catch (error) {
    // A bad message of the client ended the command: the client learns of its own fault.
    throw input.failure() ?? error;
  } finally {
    abort.abort();
    input.end();
  }
}

function toResponse(output: ExecOutput): ExecResponse {
  switch (output.type) {
    case "stdout":
    case "stderr":
      return { message: { $case: output.type, value: Buffer.from(output.data) } };
    case "exit": {
      const { code, signal, truncated } = output;
      return { message: { $case: "exit", value: { code, signal, truncated } } };
    }
  }
}

function readStart(first: IteratorResult<ExecRequest>): ExecStart {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case === "start") return message.value;
  throw invalidArgument("start", "must be the first message");
}

function checkStart(start: ExecStart): void {
  const [program] = start.command;
  if (program === undefined || program === "") throw invalidArgument("start.command", "must name a program");
  const variables = Object.entries(start.environment);
  const bytes = [...start.command, ...variables.flat()].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  if (bytes > maxCommandBytes) {
    throw invalidArgument("start.command", `is ${bytes} bytes long with its environment; at most ${maxCommandBytes}`);
  }
  const withNul = start.command.findIndex((argument) => argument.includes("\0"));
  if (withNul !== -1) throw invalidArgument(`start.command[${withNul}]`, "must not hold a NUL character");
  const violations = checkVariables("start.environment", start.environment);
  if (violations.length > 0) throw invalidFields(violations);
}

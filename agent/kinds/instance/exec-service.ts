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
import { SessionType } from "../../../proto/gen/zor/v1/session.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { EnteredSession, Sessions } from "../../kit/sessions.js";
import { readAhead } from "./exec-input.js";
import type { InstanceManager } from "./manager.js";
import type { Reached } from "./reached.js";
import { checkSize } from "../../../lib/terminal-size.js";
import { toldOf } from "../../host/told.js";

/** What the exec service works with. */
export interface ExecServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
  readonly sessions: Sessions;
}

/** Linux allows 128 KiB for one argument; the guest agent's messages are smaller than its sum. */
const maxCommandBytes = 65_536;
const maxPathLength = 4096;
/** Of a program and of what it is for, in events. */
const maxNameLength = 64;
const defaultSize: TerminalSize = { columns: 80, rows: 24 };

/** The exec service of this host. */
export function execService(options: ExecServiceOptions): Handlers<typeof ExecServiceService> {
  return { exec: (requests, context) => exec(options, requests, context) };
}

async function* exec(
  { scope, manager, sessions }: ExecServiceOptions,
  requests: AsyncIterable<ExecRequest>,
  context: CallContext,
): AsyncIterable<ExecResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const start = readStart(await iterator.next());
  const id = scope.parse("instance", "start.name", start.name);
  checkStart(start);
  if (start.detach) {
    yield await startDetached(manager.reach(id), start, context);
    return;
  }
  const { columns, rows } = start.size === undefined ? defaultSize : checkSize("start.size", start.size);
  const abort = new AbortController();
  const input = readAhead(iterator, start, (error) => abort.abort(error));
  const count = { in: 0, out: 0 };
  const reached = manager.reach(id);
  const entered = start.tty ? enter(sessions, start, context) : undefined;
  const endings = [context.signal, abort.signal, ...(entered === undefined ? [] : [entered.signal])];
  const signal = AbortSignal.any(endings);
  let end = "ended before it did";
  const command: ExecCommand = {
    command: start.command,
    environment: start.environment,
    tty: start.tty,
    columns,
    rows,
    stdin: start.stdin ? counted(input.stdin, count) : undefined,
    user: start.user,
    directory: start.workingDirectory,
  };
  try {
    for await (const output of reached.exec(command, { signal, resizes: input.resizes })) {
      entered?.signal.throwIfAborted();
      if (output.type === "exit") end = `ended with ${output.code}`;
      else count.out += output.data.length;
      yield toResponse(output);
    }
  } catch (error) {
    // A bad message of the client ended the command: the client learns of its own fault.
    const cause = input.failure() ?? (entered?.signal.aborted === true ? entered.signal.reason : error);
    if (!signal.aborted) end = `failed: ${toldOf(cause)}`;
    throw cause;
  } finally {
    entered?.leave();
    abort.abort();
    input.end();
    tellOf(reached, start, { end: `${end}; ${count.in} bytes in, ${count.out} out`, caller: context.caller.identity });
  }
}

function enter(sessions: Sessions, { name: target, command, user }: ExecStart, context: CallContext): EnteredSession {
  const type = SessionType.SESSION_TYPE_COMMAND;
  return sessions.enter({ type, target, writable: true, program: programOf(command), user: user || "root" }, context);
}

/** Its arguments may hold secrets, and are not told. */
function programOf([program = ""]: readonly string[]): string {
  return (program.split("/").at(-1) ?? "").slice(0, maxNameLength);
}

function tellOf(
  reached: Reached,
  { command, purpose, user }: ExecStart,
  { end, caller }: { readonly end: string; readonly caller: string },
): void {
  const name = programOf(command);
  const as = user === "" ? "" : ` as ${user}`;
  reached.tell("exec", `${name}${as}${purpose === "" ? "" : ` (${purpose})`} ${end}`, caller);
}

async function* counted(input: AsyncIterable<Uint8Array>, count: { in: number }): AsyncGenerator<Uint8Array> {
  for await (const data of input) {
    count.in += data.length;
    yield data;
  }
}

async function startDetached(
  reached: Reached,
  start: ExecStart,
  { signal, caller: { identity: caller } }: CallContext,
): Promise<ExecResponse> {
  const { command, environment, user, workingDirectory: directory } = start;
  const pid = await reached.execDetached({ command, environment, user, directory }, { signal });
  tellOf(reached, start, { end: `was left running as process ${pid}`, caller });
  return { message: { $case: "started", value: { pid: BigInt(pid) } } };
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
  if (start.user !== "" && !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63}(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,63})?$/.test(start.user)) {
    throw invalidArgument("start.user", "must be a user's name or number, with :GROUP behind it or without");
  }
  const directory = start.workingDirectory;
  if (
    directory !== "" &&
    (!directory.startsWith("/") || directory.includes("\0") || directory.length > maxPathLength)
  ) {
    throw invalidArgument("start.working_directory", `must be an absolute path of at most ${maxPathLength} characters`);
  }
  if (start.detach && (start.tty || start.stdin)) {
    throw invalidArgument(
      "start.detach",
      "what is left running has neither terminal nor input; leave tty and stdin out",
    );
  }
  if (start.purpose.length > maxNameLength || /\p{Cc}/u.test(start.purpose)) {
    throw invalidArgument("start.purpose", `must be at most ${maxNameLength} characters of one line`);
  }
  const violations = checkVariables("start.environment", start.environment);
  if (violations.length > 0) throw invalidFields(violations);
}

import { invalidArgument, messageOf, permissionDenied } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { checkPosition, toMessage } from "../../../lib/logs/stream-log.js";
import type {
  AttachConsoleRequest,
  AttachConsoleResponse,
  ConsoleOpen,
  ConsoleServiceService,
} from "../../../proto/gen/zor/v1/console_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import type { ConsoleStream } from "../../drivers/driver.js";
import { SessionType } from "../../../proto/gen/zor/v1/session.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { Sessions } from "../../kit/sessions.js";
import type { InstanceManager } from "./manager.js";
import { safeReplay } from "./replay/safe-replay.js";
import { checkSize } from "../../../lib/terminal-size.js";

/** What the console service works with. */
export interface ConsoleServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
  readonly sessions: Sessions;
}

const maxReplayBytes = 65_536;
const maxPort = 3;
/** Who is attached beyond this number is not told. */
const maxToldSessions = 64;

/** The console service of this host. */
export function consoleService(options: ConsoleServiceOptions): Handlers<typeof ConsoleServiceService> {
  return { attachConsole: (requests, context) => attachConsole(options, requests, context) };
}

async function* attachConsole(
  { scope, manager, sessions }: ConsoleServiceOptions,
  requests: AsyncIterable<AttachConsoleRequest>,
  context: CallContext,
): AsyncIterable<AttachConsoleResponse> {
  const input = requests[Symbol.asyncIterator]();
  const open = readOpen(await input.next());
  const id = scope.parse("instance", "open.name", open.name);
  if (open.replayBytes < 0 || open.replayBytes > maxReplayBytes) {
    throw invalidArgument("open.replay_bytes", `${open.replayBytes} is not between 0 and ${maxReplayBytes}`);
  }
  if (!Number.isInteger(open.port) || open.port < 0 || open.port > maxPort) {
    throw invalidArgument("open.port", `${open.port} is not between 0 and ${maxPort}`);
  }
  const size = open.size === undefined ? undefined : checkSize("open.size", open.size);
  const resume = checkPosition("open.resume", open.resume);
  const { replayBytes, port } = open;
  const writable = context.caller.role >= Role.ROLE_OPERATOR && !open.readOnly;
  const reached = manager.reach(id);
  const stream = await reached.openConsole({ replayBytes, port, resume, signal: context.signal });
  // A machine that is silent would keep the console open long after the client has gone.
  const close = (): void => void stream.close().catch(() => undefined);
  context.signal.addEventListener("abort", close, { once: true });
  let failure: { readonly error: unknown } | undefined;
  const session = { caller: context.caller.identity, port, writable, attachTime: new Date() };
  const { others, leave } = reached.attached(session);
  const entered = sessions.enter(
    { type: SessionType.SESSION_TYPE_CONSOLE, target: open.name, writable, port },
    context,
  );
  entered.signal.addEventListener("abort", close, { once: true });
  try {
    if (size !== undefined && writable) await stream.resize(size.columns, size.rows);
    const replay = safeReplay(stream.replay);
    const position = (): AttachConsoleResponse["position"] => toMessage(stream.position?.());
    const missing = resume !== undefined && stream.isMissing !== false;
    const opened = { writable, missing, others: others.slice(0, maxToldSessions) };
    yield { message: { $case: "opened", value: opened }, position: replay.length === 0 ? position() : undefined };
    if (replay.length > 0) yield { message: { $case: "data", value: replay }, position: position() };
    const rights = { writable, readOnly: open.readOnly };
    pump(input, stream, context, rights).catch((error: unknown) => {
      failure = { error };
      close();
    });
    for await (const data of stream.output) {
      yield { message: { $case: "data", value: Buffer.from(data) }, position: position() };
    }
    if (failure !== undefined) throw failure.error;
    const { aborted, reason: ended } = entered.signal;
    const reason = aborted ? messageOf(ended) : "the console ended: the instance does not run any more";
    yield { message: { $case: "closed", value: { reason } }, position: undefined };
  } finally {
    entered.leave();
    leave();
    context.signal.removeEventListener("abort", close);
    await stream.close();
  }
}

/** Carries what the client sends to the console. Ends when the client ends its side; the output goes on. */
async function pump(
  input: AsyncIterator<AttachConsoleRequest>,
  stream: ConsoleStream,
  context: CallContext,
  { writable, readOnly }: { readonly writable: boolean; readonly readOnly: boolean },
): Promise<void> {
  for (let next = await input.next(); next.done !== true; next = await input.next()) {
    const { message } = next.value;
    switch (message?.$case) {
      case "data":
        if (readOnly) throw permissionDenied("this console was opened read-only; open it without read_only to type");
        if (!writable) {
          throw permissionDenied(
            `${context.caller.identity} may only look at this console; typing needs role operator`,
          );
        }
        await stream.write(message.value);
        break;
      case "resize": {
        const { columns, rows } = checkSize("resize", message.value);
        // Whoever only looks must not change what the others see.
        if (writable) await stream.resize(columns, rows);
        break;
      }
      case "open":
        throw invalidArgument("open", "the console is open already; send it first and once");
      case undefined:
        throw invalidArgument("message", "must be set: data or resize");
    }
  }
}

function readOpen(first: IteratorResult<AttachConsoleRequest>): ConsoleOpen {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case === "open") return message.value;
  throw invalidArgument("open", "must be the first message");
}

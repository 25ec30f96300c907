import { invalidArgument, messageOf, resourceExhausted } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { checkSize } from "../../../lib/terminal-size.js";
import { counted } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { SessionType } from "../../../proto/gen/zor/v1/session.js";
import type {
  OpenShellRequest,
  OpenShellResponse,
  ShellOpen,
  ShellServiceService,
} from "../../../proto/gen/zor/v1/shell_service.js";
import { outputOf } from "../../host/owned-session.js";
import { type HostShell, type ShellStart, startHostShell } from "../../host/shell/host-shell.js";
import { admitToShell, type HostShellPolicy } from "../../host/shell/shell-policy.js";
import { findShellUser } from "../../host/shell/shell-user.js";
import type { AgentContext } from "../../parts.js";

/** What shells of this host are given by. */
type ShellContext = Pick<AgentContext, "host" | "scope" | "sessions" | "publisher" | "settings">;

const maxCommandBytes = 65_536;
const maxNameLength = 64;
const minuteMs = 60_000;

/** The shells of this host: none, unless the agent's settings say otherwise. */
export class Shells {
  readonly handlers: Handlers<typeof ShellServiceService>;
  readonly #context: ShellContext;
  readonly #ending = new AbortController();
  /** Those that are being opened, too. */
  readonly #open = new Set<Promise<void>>();

  constructor(context: ShellContext) {
    this.#context = context;
    this.handlers = { openShell: (requests, call) => this.#openShell(requests, call) };
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#ending.abort(new Error("the agent of the host ends"));
    await Promise.all(this.#open);
  }

  async *#openShell(requests: AsyncIterable<OpenShellRequest>, call: CallContext): AsyncIterable<OpenShellResponse> {
    const { host, scope, settings } = this.#context;
    const input = requests[Symbol.asyncIterator]();
    const open = readOpen(await input.next());
    scope.parseSelf("open.name", open.name);
    checkOpen(open);
    const policy = admitToShell(settings.hostShell, { host, caller: call.caller, command: open.command });
    if (this.#open.size >= policy.sessions) {
      const most = counted(policy.sessions, "shell");
      throw resourceExhausted("TOO_MANY_SHELLS", `hosts/${host} gives ${most} at once, and they are taken`, open.name);
    }
    const done = Promise.withResolvers<void>();
    this.#open.add(done.promise);
    try {
      const user = await findShellUser(host, policy.user, call.signal);
      const start = { policy, user, command: open.command, terminal: terminalOf(open) };
      yield* this.#run(start, { policy, input, call });
    } finally {
      this.#open.delete(done.promise);
      done.resolve();
    }
  }

  async *#run(
    start: ShellStart,
    { policy, input, call }: { policy: HostShellPolicy; input: AsyncIterator<OpenShellRequest>; call: CallContext },
  ): AsyncIterable<OpenShellResponse> {
    const { host, sessions } = this.#context;
    const [program = ""] = policy.command ?? (start.command.length > 0 ? start.command : [start.user.shell]);
    const facts = { program: (program.split("/").at(-1) ?? "").slice(0, maxNameLength), user: start.user.name };
    const target = `hosts/${host}`;
    const type = SessionType.SESSION_TYPE_SHELL;
    const entered = sessions.enter({ type, target, writable: true, ...facts }, call);
    const what = `${facts.program} as ${facts.user}`;
    this.#tell("host.shell-opened", `opened a shell: ${what}, from ${entered.session.origin}`, call);
    using idle = new Idle(policy.idleMinutes);
    const fault = new AbortController();
    const signals = [call.signal, entered.signal, idle.signal, fault.signal, this.#ending.signal];
    const ending = AbortSignal.any(signals);
    const count = { in: 0, out: 0 };
    let end = "ended before it did";
    let shell: HostShell | undefined;
    const finish = (): void => void shell?.end();
    try {
      shell = await startHostShell(start);
      ending.addEventListener("abort", finish, { once: true });
      if (ending.aborted) finish();
      const output = outputOf(shell.session);
      pump(input, shell, (bytes) => {
        count.in += bytes;
        idle.touch();
      }).catch((error: unknown) => fault.abort(error));
      yield say({ $case: "opened", value: { session: entered.session.name, user: facts.user } });
      for await (const each of output) {
        idle.touch();
        if (each.type !== "exit") {
          count.out += each.data.length;
          yield say({ $case: each.type === "stdout" ? "data" : "errors", value: Buffer.from(each.data) });
          continue;
        }
        // What was wrong with the caller's messages ended it: the caller learns of that.
        if (fault.signal.aborted) throw fault.signal.reason;
        const ended = [entered.signal, idle.signal, this.#ending.signal].find(({ aborted }) => aborted);
        const reason = ended === undefined ? "" : messageOf(ended.reason);
        if (!call.signal.aborted) end = reason === "" ? `ended with ${each.code}` : `was ended: ${reason}`;
        yield say({ $case: "exit", value: { code: each.code, signal: each.signal, reason } });
      }
    } catch (error) {
      if (!call.signal.aborted) end = `failed: ${messageOf(error)}`;
      throw error;
    } finally {
      ending.removeEventListener("abort", finish);
      await shell?.end();
      entered.leave();
      this.#tell("host.shell-closed", `the shell (${what}) ${end}; ${count.in} bytes in, ${count.out} out`, call);
    }
  }

  #tell(type: string, message: string, { caller }: CallContext): void {
    const severity = EventSeverity.EVENT_SEVERITY_INFO;
    const resource = `hosts/${this.#context.host}`;
    this.#context.publisher.event({ severity, type, resource, message, caller: caller.identity });
  }
}

/** Aborts when nothing has happened for some minutes. */
class Idle implements Disposable {
  readonly #minutes: number;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout;

  constructor(minutes: number) {
    this.#minutes = minutes;
    this.#timer = setTimeout(() => this.#end(), minutes * minuteMs).unref();
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  touch(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #end(): void {
    this.#ending.abort(new Error(`nothing was typed or said for ${counted(this.#minutes, "minute")}`));
  }
}

/** Carries what the caller sends to the shell, no faster than it takes it. */
async function pump(
  input: AsyncIterator<OpenShellRequest>,
  { session }: HostShell,
  took: (bytes: number) => void,
): Promise<void> {
  for (let next = await input.next(); next.done !== true; next = await input.next()) {
    const { message } = next.value;
    switch (message?.$case) {
      case "data":
        took(message.value.length);
        await session.write(message.value);
        break;
      case "inputEnd":
        await session.endInput();
        break;
      case "resize": {
        const { columns, rows } = checkSize("resize", message.value);
        if (!("resize" in session)) throw invalidArgument("resize", "it was opened without a terminal");
        session.resize(columns, rows);
        break;
      }
      case "open":
        throw invalidArgument("open", "the shell is open already; send it first and once");
      case undefined:
        throw invalidArgument("message", "must be set: data, input_end or resize");
    }
  }
}

function readOpen(first: IteratorResult<OpenShellRequest>): ShellOpen {
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case === "open") return message.value;
  throw invalidArgument("open", "must be the first message");
}

function checkOpen({ command, terminal, size }: ShellOpen): void {
  if (command[0] === "") throw invalidArgument("open.command", "must name a program");
  const bytes = command.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  if (bytes > maxCommandBytes) {
    throw invalidArgument("open.command", `is ${bytes} bytes long; at most ${maxCommandBytes}`);
  }
  const withNul = command.findIndex((argument) => argument.includes("\0"));
  if (withNul >= 0) throw invalidArgument(`open.command[${withNul}]`, "holds a NUL, which no argument can");
  if (!/^[A-Za-z0-9._+-]{0,64}$/.test(terminal)) {
    throw invalidArgument("open.terminal", 'must be letters, digits, "-", "+", "." and "_", up to 64');
  }
  if (size !== undefined) checkSize("open.size", size);
}

function terminalOf({ size, terminal }: ShellOpen): ShellStart["terminal"] {
  return size === undefined ? undefined : { columns: size.columns, rows: size.rows, kind: terminal || "xterm" };
}

function say(message: NonNullable<OpenShellResponse["message"]>): OpenShellResponse {
  return { message };
}

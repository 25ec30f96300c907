import { ZorError } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { type Context, configDirectory, listContexts, loadContext, servedBy } from "../client/contexts.js";
import { reachHub } from "../client/open-hub.js";
import { runOperation } from "../client/operation.js";
import { askAtTerminal } from "../client/questions.js";
import type { Terminal, TerminalOutput } from "../client/raw-terminal.js";
import type { SshDoorOptions } from "../client/ssh-door.js";
import { parseDurationMs } from "../kit/input/durations.js";
import { escapeText } from "../kit/text/escape.js";
import type { GivenHow } from "./input/read-given.js";
import { checkRequestId } from "./input/request-id.js";
import { isStructured, type OutputFormat, type StructuredForm, structuredText } from "./output/forms.js";
import type { Hop } from "./output/print-error.js";
import { showProgress } from "./output/progress.js";
import type { ResponseMethod } from "./output/proto-json.js";

/** What a command reads and writes: the process's own streams, or those of a test. */
export interface CliIo {
  readonly terminal: Terminal;
  readonly errors: TerminalOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Standard error holds nothing but errors as JSON. */
  readonly jsonErrors?: boolean;
}

/** Options every command takes. */
export interface GlobalOptions {
  readonly context?: string;
  readonly timeout?: string;
  readonly requestId?: string;
  readonly verbose?: boolean;
}

/** How long a command that only looks waits for an answer, connecting included: with its own start it ends within 5 s. */
const readTimeoutMs = 4_500;
/** How long a change may take that has no limit of its own. */
const changeTimeoutMs = 15_000;
/** What is left for the first answer after a connection that took its time. */
const leastReadMs = 250;

export type { OutputFormat };

/** One run of zor: its streams, its options and its connection, which is closed when the session is disposed. */
export class Session implements AsyncDisposable {
  readonly io: CliIo;
  readonly options: GlobalOptions;
  #connection: Promise<Connection> | undefined;
  #hop: Hop | undefined;
  #connectingMs = 0;
  #changes = false;
  #named: Promise<void> | undefined;
  #exitCode = 0;

  constructor(io: CliIo, options: GlobalOptions) {
    this.io = io;
    this.options = options;
  }

  /** What this session talks to, for the hints of errors; undefined before it does. */
  get hop(): Hop | undefined {
    return this.#hop === undefined ? undefined : { ...this.#hop, changes: this.#changes };
  }

  /** Where contexts and identities are kept. */
  get configDirectory(): string {
    return configDirectory(this.io.env);
  }

  /** Exit code of a command that has not thrown. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Ends the command with this code once it is through; the first one given stays. */
  setExitCode(code: number): void {
    if (this.#exitCode === 0) this.#exitCode = code;
  }

  /** How ssh servers are reached, and who answers what they ask. */
  get ssh(): SshDoorOptions {
    const { env, errors, signal, terminal } = this.io;
    const questions = askAtTerminal({ input: terminal.input, errors, signal });
    return { env, signal, questions, onNote: (note) => this.note(escapeText(note)) };
  }

  context(): Promise<Context> {
    return loadContext({ name: this.options.context, env: this.io.env });
  }

  /** The connection to the chosen hub or agent; opened once. @throws {ZorError} UNAVAILABLE when nothing answers in time. */
  connect(patienceMs = readTimeoutMs): Promise<Connection> {
    this.#connection ??= this.#open(patienceMs);
    return this.#connection;
  }

  async #open(patienceMs: number): Promise<Connection> {
    const context = await this.context();
    const [address = ""] = context.addresses;
    this.#hop = { address, context: context.name, server: servedBy(context), changes: false };
    const { timeoutMs = patienceMs } = this.callOptions(patienceMs);
    const began = performance.now();
    const connection = await reachHub(context, { timeoutMs, signal: this.io.signal, ssh: this.ssh });
    this.#connectingMs = performance.now() - began;
    this.#hop = { ...this.#hop, address: connection.address };
    return connection;
  }

  /**
   * Calls a unary method with the deadline of --timeout, else `defaultTimeoutMs`, else what is usual for one that only looks or
   * one that changes something. A change names the context first.
   */
  async call<Request extends object, Response>(
    method: ResponseMethod<Request, Response>,
    request: Request,
    defaultTimeoutMs?: number,
  ): Promise<Response> {
    const isChange = "requestId" in request && !("validateOnly" in request && request.validateOnly === true);
    const connection = await this.connect();
    if (isChange) await this.nameContext();
    if (!isChange && defaultTimeoutMs === undefined) return connection.unary(method, request, this.readOptions());
    this.#changes ||= isChange;
    return connection.unary(method, request, this.callOptions(defaultTimeoutMs ?? changeTimeoutMs));
  }

  /** Options of a call that only looks: a hub that hangs is not waited for longer than a person would. */
  readOptions(): CallOptions {
    const spentMs = this.#connectingMs;
    this.#connectingMs = 0;
    return this.callOptions(Math.max(leastReadMs, readTimeoutMs - spentMs));
  }

  callOptions(defaultTimeoutMs: number): CallOptions {
    const { timeout } = this.options;
    const timeoutMs = timeout === undefined ? defaultTimeoutMs : parseDurationMs("--timeout", timeout);
    const onStale = (why: string): void => this.note(`${escapeText(why)}; what is shown of it may be old`);
    return { timeoutMs, signal: this.io.signal, onStale };
  }

  /** Before something is changed: says where, when there are several contexts. Only once; not where errors are told as JSON. */
  nameContext(): Promise<void> {
    this.#named ??= this.#nameContext();
    return this.#named;
  }

  async #nameContext(): Promise<void> {
    if (this.io.jsonErrors === true) return;
    const { contexts } = await listContexts(this.configDirectory);
    if (contexts.length < 2) return;
    const { name, addresses } = await this.context();
    this.note(escapeText(`context ${name} (${addresses.join(", ")})`));
  }

  /** The request id of --request-id or a new one. `part` keeps the calls of one command apart when it makes several. */
  requestId(part?: number): string {
    const { requestId } = this.options;
    if (requestId === undefined) return crypto.randomUUID();
    return checkRequestId(part === undefined ? requestId : `${requestId}.${part}`);
  }

  /** Follows an operation with its progress on stderr; Ctrl-C cancels it. */
  async follow(operation: Operation | undefined, title: string): Promise<Operation | undefined> {
    if (operation === undefined) return undefined;
    using progress = showProgress(this.io.errors, this.io.env, title);
    return await runOperation(await this.connect(), operation, {
      onProgress: (now) => progress.update(now),
      signal: this.io.signal,
    });
  }

  /** Writes a line to stdout. */
  print(line: string): void {
    this.io.terminal.output.write(`${line}\n`);
  }

  /** Writes a line to stderr. */
  note(line: string): void {
    this.io.errors.write(`${line}\n`);
  }

  /** Prints an API response in a structured form, if that is asked for, otherwise what `text` gives. */
  async printResponse<Request, Response>(
    format: OutputFormat,
    method: ResponseMethod<Request, Response>,
    response: Response,
    text: () => string,
  ): Promise<void> {
    if (!isStructured(format)) {
      this.print(text());
      return;
    }
    const { responseJson } = await import("./output/proto-json.js");
    await this.printJson(format, responseJson(method, response));
  }

  /** Prints a JSON value in a structured form; what an expression gives ends with a line end if it does not have one. */
  async printJson(format: StructuredForm, value: unknown): Promise<void> {
    this.#printText(await structuredText(format, value));
  }

  /** Prints one of many JSON values in a structured form: JSON stands on one line. */
  async printItem(format: StructuredForm, value: unknown): Promise<void> {
    this.#printText(await structuredText(format, value, true));
  }

  #printText(text: string): void {
    if (text !== "") this.print(text.endsWith("\n") ? text.slice(0, -1) : text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.close();
  }

  /** How files that the command line names are read; "-" is standard input. */
  get given(): GivenHow {
    return { input: this.io.terminal.input, signal: this.io.signal };
  }

  /** Whether an error is only the echo of Ctrl-C or SIGTERM. */
  isInterruption(error: unknown): boolean {
    return this.io.signal.aborted && (!(error instanceof ZorError) || /CANCELLED/.test(error.reason));
  }
}

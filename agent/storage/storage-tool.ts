import { failedPrecondition, resourceExhausted, unavailable, type ZorError } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import { run, ToolError, type ToolResult } from "../host/exec.js";
import { unavailablePool } from "./volume-files.js";

/** A tool of a storage system. */
export interface StorageCommand {
  readonly tool: string;
  readonly argv: readonly string[];
  /** Longest run in milliseconds; default 20,000. */
  readonly timeoutMs?: number;
  readonly acceptedExitCodes?: readonly number[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What the tools of one backend work for. */
export interface StorageToolOptions {
  /** Resource name for errors. */
  readonly resource: string;
  /** Debian package that has the tools. */
  readonly packageName: string;
  /** What does not answer when a tool takes too long: "the NFS server nas:/export". */
  readonly storage: string;
  readonly signal?: AbortSignal | undefined;
}

/** How a command is run; tests have scripted ones. */
export type RunTool = (command: StorageCommand, options: StorageToolOptions) => Promise<ToolResult>;

/** How long a tool may take by itself. */
const storageToolMs = 20_000;
/** A tool that waits for a server in the kernel may not end when it is told to; nobody waits for it longer than this. */
const afterMs = 3000;
const maxWords = 300;

/**
 * Runs a tool of a storage system to its end, or to the end of its time: whatever the storage does, this answers.
 * @throws {ZorError} UNAVAILABLE when the tool is missing or the storage does not answer; RESOURCE_EXHAUSTED when it is full;
 * FAILED_PRECONDITION with the tool's words.
 */
export async function runStorageTool(command: StorageCommand, options: StorageToolOptions): Promise<ToolResult> {
  const { tool, argv, timeoutMs = storageToolMs, acceptedExitCodes, env } = command;
  const running = run(tool, argv, {
    timeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(acceptedExitCodes === undefined ? {} : { acceptedExitCodes }),
    ...(env === undefined ? {} : { env }),
  });
  try {
    return await within(running, timeoutMs + afterMs);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw toStorageError(error, tool, options);
  }
}

/** What a promise resolves to, unless that takes too long; then it is left to itself. @throws {TooLateError} */
async function within<Value>(promise: Promise<Value>, limitMs: number): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TooLateError()), limitMs);
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Something has not answered in time. */
class TooLateError extends Error {
  constructor() {
    super("no answer in time");
    this.name = "TooLateError";
  }
}

/** Storage that does not answer. */
export function silentStorage({ resource, storage }: Pick<StorageToolOptions, "resource" | "storage">): ZorError {
  return unavailable(
    "STORAGE_SILENT",
    resource,
    `${resource}: ${storage} does not answer; look whether it runs and can be reached from this host; it is tried again`,
  );
}

/** What a tool printed is not what it prints. */
export function strangeOutput(resource: string, tool: string): ZorError {
  return unavailable(
    "STORAGE_STRANGE",
    resource,
    `${resource}: ${tool} has answered something that it should not; run it by hand on the host`,
  );
}

function toStorageError(error: unknown, tool: string, options: StorageToolOptions): unknown {
  const { resource, packageName } = options;
  if (error instanceof TooLateError) return silentStorage(options);
  if (!(error instanceof ToolError)) return error;
  if (/is not installed/.test(error.message)) {
    return unavailablePool(resource, `${tool} is not installed on the host`, `install the package ${packageName}`);
  }
  if (/took too long/.test(error.message)) return silentStorage(options);
  const said = quote(error.stderrTail, { maxCharacters: maxWords });
  if (/No space left on device|Disk quota exceeded|insufficient (?:free|suitable)/i.test(error.stderrTail)) {
    return resourceExhausted("STORAGE_FULL", `${resource}: ${options.storage} is full: ${tool} says ${said}`, resource);
  }
  return failedPrecondition("STORAGE_REFUSED", resource, `${resource}: ${tool} refused with ${said}`);
}

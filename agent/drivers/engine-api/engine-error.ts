import { status } from "@grpc/grpc-js";
import { unavailable, ZorError } from "../../../lib/errors.js";

/** Longest text of an engine that is passed on: it may quote what an image or a guest says. */
const maxWords = 600;

/** An engine refused a call. */
export class EngineError extends Error {
  /** HTTP status. */
  readonly status: number;

  /** @param words what the engine says. */
  constructor(status: number, words: string) {
    super(words.slice(0, maxWords));
    this.name = "EngineError";
    this.status = status;
  }
}

/** Whether an engine says that what was asked for is not there. */
export function isNotThere(error: unknown): boolean {
  return error instanceof EngineError && error.status === 404;
}

/** Whether there is no engine that could be asked. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof ZorError && error.reason === "ENGINE_UNREACHABLE";
}

/** Whether an engine could not be asked, or did not answer: what it was asked for may or may not come to be. */
export function isAway(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof ZorError && error.reason === "ENGINE_SILENT");
}

/** Whether an engine says that what was asked for is so already (304), or cannot be in this state (409). */
export function isConflict(error: unknown): boolean {
  return error instanceof EngineError && (error.status === 304 || error.status === 409);
}

/** What an engine said, as an error for clients; everything else stays as it is. */
export function asEngineFailure(
  error: unknown,
  context: { readonly product: string; readonly doing: string },
): unknown {
  if (!(error instanceof EngineError)) return error;
  const { product, doing } = context;
  const code = error.status >= 500 ? status.INTERNAL : status.FAILED_PRECONDITION;
  const message = `${product} refused to ${doing}: ${error.message}`;
  return new ZorError({ reason: "ENGINE_REFUSED", code, message, metadata: { product }, cause: error });
}

/** UNAVAILABLE: the engine's socket cannot be used. @param code of the system's error. */
export function unreachable(product: string, code: string, cause: unknown): ZorError {
  const why =
    {
      ENOENT: `there is no socket of ${product} on the host; install the package ${packageOf(product)} and start it, or set ${settingOf(product)} in the agent's settings`,
      ECONNREFUSED: `${product} does not run: its socket is there and nobody listens; start it again`,
      EACCES: `the agent may not use the socket of ${product}`,
    }[code] ?? `the connection to ${product} failed (${code}); it may have ended`;
  return unavailable("ENGINE_UNREACHABLE", "", why, cause);
}

/** UNAVAILABLE: the engine did not answer in time. */
export function unanswered(product: string, afterMs: number): ZorError {
  const seconds = Math.round(afterMs / 1000);
  return unavailable(
    "ENGINE_SILENT",
    "",
    `${product} does not answer (${seconds} s); it may be stopped or overloaded: look at its log, and restart it`,
  );
}

/** The agent's setting that says where the engine's socket is. */
export function settingOf(product: string): string {
  return `${product}Socket`;
}

/** The Debian package that an engine comes in. */
export function packageOf(product: string): string {
  return product === "docker" ? "docker.io" : product;
}

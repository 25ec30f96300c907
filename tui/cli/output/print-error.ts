import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { escapeText } from "../../kit/text/escape.js";
import { exitCode, exitCodeOf } from "../exit-codes.js";

/** How an error is shown. */
export interface ErrorFormat {
  /** One JSON object instead of text. */
  readonly json: boolean;
  /** Also reason, code, metadata and causes. */
  readonly verbose: boolean;
  /** What zor talks to, if it came to that. */
  readonly hop?: Hop | undefined;
}

/** The first hop: what zor itself is connected to. */
export interface Hop {
  readonly address: string;
  readonly context: string;
  readonly server: "hub" | "agent";
  /** Something was to be changed; not only looked at. */
  readonly changes: boolean;
}

/**
 * What to do about errors whose message cannot know it: they come from the connection itself. Errors of a connection further on,
 * such as the hub's to an agent, are not about this hop.
 */
function remedyOf({ reason, resource }: ZorError, hop: Hop | undefined): string {
  if (hop === undefined || resource !== hop.address) return "";
  switch (reason) {
    case "NO_CONNECTION":
      return `is the ${hop.server} running there, and is context ${hop.context} right? See: zor context show`;
    case "DEADLINE_EXCEEDED":
      return hop.changes
        ? "it may still happen; look with zor get, or allow more time with --timeout"
        : `the ${hop.server} of context ${hop.context} is stopped or hangs; --timeout allows more time`;
    default:
      return "";
  }
}

/** An error as the lines that go to stderr, newline included. Everything in it is escaped. */
export function formatError(error: unknown, format: ErrorFormat): string {
  const known = error instanceof ZorError ? error : undefined;
  if (format.json) return `${JSON.stringify(errorJson(error, known))}\n`;
  const lines = [`zor: ${escapeText(summary(error, known, format.hop))}`];
  if (format.verbose) lines.push(...details(error, known).map((line) => `  ${escapeText(line)}`));
  return `${lines.join("\n")}\n`;
}

/** The exit code an error ends zor with. */
export function codeOfError(error: unknown): number {
  return error instanceof ZorError ? exitCodeOf(error.code) : exitCode.error;
}

function summary(error: unknown, known: ZorError | undefined, hop: Hop | undefined): string {
  const message = messageOf(error);
  if (known === undefined) return message;
  const { resource } = known;
  const about = resource === undefined || resource === "" || message.includes(resource) ? "" : `${resource}: `;
  const remedy = remedyOf(known, hop);
  return `${about}${message}${remedy === "" ? "" : `; ${remedy}`}`;
}

function details(error: unknown, known: ZorError | undefined): string[] {
  const lines: string[] = [];
  if (known !== undefined) {
    lines.push(`reason: ${known.reason}`, `code: ${status[known.code] ?? known.code} (${known.code})`);
    if (known.resource !== undefined) lines.push(`resource: ${known.resource}`);
    for (const [key, value] of Object.entries(known.metadata)) lines.push(`${key}: ${value}`);
    for (const { field, description } of known.violations) lines.push(`field ${field}: ${description}`);
  }
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause !== undefined && depth < 5; depth++) {
    lines.push(`cause: ${messageOf(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  if (known === undefined && error instanceof Error && error.stack !== undefined)
    lines.push(...error.stack.split("\n"));
  return lines;
}

function errorJson(error: unknown, known: ZorError | undefined): unknown {
  const code = known?.code ?? status.UNKNOWN;
  return {
    error: {
      code,
      status: status[code] ?? "UNKNOWN",
      reason: known?.reason ?? "UNKNOWN",
      message: messageOf(error),
      resource: known?.resource ?? "",
      metadata: known?.metadata ?? {},
      fieldViolations: known?.violations ?? [],
      exitCode: exitCodeOf(code),
    },
  };
}

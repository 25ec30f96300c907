import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import { escapeText } from "../../client/escape.js";
import { exitCode, exitCodeOf } from "../exit-codes.js";

/** How an error is shown. */
export interface ErrorFormat {
  /** One JSON object instead of text. */
  readonly json: boolean;
  /** Also reason, code, metadata and causes. */
  readonly verbose: boolean;
}

/** What to do about errors whose message cannot know it: they come from the connection itself. */
const remedies: Readonly<Record<string, string>> = {
  NO_CONNECTION: "is the hub running, and is the context right? See: zor context list",
  DEADLINE_EXCEEDED: "it may still happen; look with zor get, or allow more time with --timeout",
  UNIMPLEMENTED: "the server does not offer this; agents serve their own host only, or it is of another version",
};

/** An error as the lines that go to stderr, newline included. Everything in it is escaped. */
export function formatError(error: unknown, format: ErrorFormat): string {
  const known = error instanceof ZorError ? error : undefined;
  if (format.json) return `${JSON.stringify(errorJson(error, known))}\n`;
  const lines = [`zor: ${escapeText(summary(error, known))}`];
  if (format.verbose) lines.push(...details(error, known).map((line) => `  ${escapeText(line)}`));
  return `${lines.join("\n")}\n`;
}

/** The exit code an error ends zor with. */
export function codeOfError(error: unknown): number {
  return error instanceof ZorError ? exitCodeOf(error.code) : exitCode.error;
}

function summary(error: unknown, known: ZorError | undefined): string {
  const message = messageOf(error);
  if (known === undefined) return message;
  const { resource, reason } = known;
  const about = resource === undefined || resource === "" || message.includes(resource) ? "" : `${resource}: `;
  const remedy = Object.hasOwn(remedies, reason) ? remedies[reason] : undefined;
  return `${about}${message}${remedy === undefined ? "" : `; ${remedy}`}`;
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

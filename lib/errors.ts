import { status } from "@grpc/grpc-js";
import { foreignWords } from "./foreign-words.js";

/** One bad request field: `field` is its proto path ("instance.spec.memory_mib"), `description` says what to do. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What a {@link ZorError} is made of. */
export interface ZorErrorOptions {
  /** Constant cause in UPPER_SNAKE_CASE; programs branch on it. */
  readonly reason: string;
  /** Canonical gRPC status code. */
  readonly code: status;
  /** For people: what happened, to which resource, and what to do. Sent to clients: no host paths, no stacks. */
  readonly message: string;
  /** Resource name the error is about. */
  readonly resource?: string;
  /** More facts, keyed in lowerCamelCase. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Bad fields, for INVALID_ARGUMENT. */
  readonly violations?: readonly FieldViolation[];
  readonly cause?: unknown;
}

/** The one error type that crosses module and process borders; every other error is INTERNAL. */
export class ZorError extends Error {
  readonly reason: string;
  readonly code: status;
  readonly resource: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];

  constructor(options: ZorErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ZorError";
    this.reason = options.reason;
    this.code = options.code;
    this.resource = options.resource;
    this.metadata = options.metadata ?? {};
    this.violations = options.violations ?? [];
  }
}

/** A request that can never succeed as it is; `field` is the proto path of the bad field. */
export function invalidArgument(field: string, description: string, resource?: string): ZorError {
  return invalidFields([{ field, description }], resource);
}

/** Like {@link invalidArgument}, for several fields at once. */
export function invalidFields(violations: readonly FieldViolation[], resource?: string): ZorError {
  return new ZorError({
    reason: "INVALID_FIELD",
    code: status.INVALID_ARGUMENT,
    message: violations.map((violation) => `${violation.field}: ${violation.description}`).join("; "),
    violations,
    ...(resource === undefined ? {} : { resource }),
  });
}

/** The named resource does not exist. `remedy` completes the message ("list them with: zor get lans"). */
export function notFound(resource: string, remedy?: string): ZorError {
  return new ZorError({
    reason: "NOT_FOUND",
    code: status.NOT_FOUND,
    message: `${resource} does not exist${remedy === undefined ? "" : `; ${remedy}`}`,
    resource,
  });
}

/** A resource of that name is there already. */
export function alreadyExists(resource: string, remedy?: string): ZorError {
  return new ZorError({
    reason: "ALREADY_EXISTS",
    code: status.ALREADY_EXISTS,
    message: `${resource} exists already${remedy === undefined ? "" : `; ${remedy}`}`,
    resource,
  });
}

/** The resource is not in a state that allows the call; the message says which state would. */
export function failedPrecondition(reason: string, resource: string, message: string): ZorError {
  return new ZorError({ reason, code: status.FAILED_PRECONDITION, message, resource });
}

/** The caller may not do this. */
export function permissionDenied(message: string, resource?: string): ZorError {
  return new ZorError({
    reason: "PERMISSION_DENIED",
    code: status.PERMISSION_DENIED,
    message,
    ...(resource === undefined ? {} : { resource }),
  });
}

/** The thing that must answer does not; trying again later may help. */
export function unavailable(reason: string, resource: string, message: string, cause?: unknown): ZorError {
  return new ZorError({ reason, code: status.UNAVAILABLE, message, resource, cause });
}

/** A limit is reached. */
export function resourceExhausted(reason: string, message: string, resource?: string): ZorError {
  return new ZorError({
    reason,
    code: status.RESOURCE_EXHAUSTED,
    message,
    ...(resource === undefined ? {} : { resource }),
  });
}

/** What anything that was thrown says, in words for people: see {@link foreignWords} for what is not ours. */
export function messageOf(error: unknown): string {
  return error instanceof ZorError ? error.message : foreignWords(error);
}

import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, ResourceInfo } from "../../proto/gen/google/rpc/error_details.js";
import { Status } from "../../proto/gen/google/rpc/status.js";
import { ZorError } from "../errors.js";
import { foreignWords } from "../foreign-words.js";

const detailsKey = "grpc-status-details-bin";
const domain = "zor.dev";
const typePrefix = "type.googleapis.com/google.rpc.";
// Peers may refuse trailers above 8 KiB.
const maxMessageLength = 2000;

/** Any error as google.rpc.Status. What is not a ZorError becomes INTERNAL without its text: it may hold host paths. */
export function toStatus(error: unknown): Status {
  const known = asZorError(error);
  const details: Status["details"] = [
    any("ErrorInfo", ErrorInfo.encode({ reason: known.reason, domain, metadata: { ...known.metadata } }).finish()),
  ];
  if (known.resource !== undefined) {
    const resource = { resourceType: "", resourceName: known.resource, owner: "", description: "" };
    details.push(any("ResourceInfo", ResourceInfo.encode(resource).finish()));
  }
  if (known.violations.length > 0) {
    const fieldViolations = known.violations.map(({ field, description }) => ({ field, description }));
    details.push(any("BadRequest", BadRequest.encode({ fieldViolations }).finish()));
  }
  return { code: known.code, message: known.message.slice(0, maxMessageLength), details };
}

/** The inverse of {@link toStatus}. Unknown details are ignored. */
export function fromStatus(value: Status): ZorError {
  let reason = status[value.code] ?? "UNKNOWN";
  let metadata: Record<string, string> = {};
  let resource: string | undefined;
  let violations: ZorError["violations"] = [];
  for (const detail of value.details) {
    if (detail.typeUrl === `${typePrefix}ErrorInfo`) ({ reason, metadata } = ErrorInfo.decode(detail.value));
    if (detail.typeUrl === `${typePrefix}ResourceInfo`) resource = ResourceInfo.decode(detail.value).resourceName;
    if (detail.typeUrl === `${typePrefix}BadRequest`) violations = BadRequest.decode(detail.value).fieldViolations;
  }
  return new ZorError({
    reason,
    code: value.code,
    message: value.message,
    metadata,
    violations,
    ...(resource === undefined ? {} : { resource }),
  });
}

/** What a gRPC handler hands back for an error: code, message and the details trailer. */
export function toServiceError(error: unknown): Partial<StatusObject> & { code: status; details: string } {
  const value = toStatus(error);
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(Status.encode(value).finish()));
  return { code: value.code, details: value.message, metadata };
}

/** A failed call as ZorError, with the server's details where it sent them. `resource` is used when it named none. */
export function fromServiceError(error: unknown, resource?: string): ZorError {
  if (error instanceof ZorError) return error;
  if (!isServiceError(error)) return asZorError(error);
  const [raw] = error.metadata.get(detailsKey);
  const sent = raw instanceof Buffer ? decodeStatus(raw) : undefined;
  if (sent !== undefined) return sent;
  return new ZorError({
    reason: status[error.code] ?? "UNKNOWN",
    code: error.code,
    message: foreignWords(new Error(error.details === "" ? error.message : error.details)),
    cause: error,
    ...(resource === undefined ? {} : { resource }),
  });
}

function decodeStatus(raw: Buffer): ZorError | undefined {
  try {
    return fromStatus(Status.decode(raw));
  } catch {
    // A peer may send anything; the plain code and message still tell what happened.
    return undefined;
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error && error.metadata instanceof Metadata;
}

function asZorError(error: unknown): ZorError {
  if (error instanceof ZorError) return error;
  // Undoing failed as well: the first error is the one to tell.
  if (error instanceof SuppressedError) return asZorError(error.suppressed);
  if (error instanceof Error && error.name === "AbortError") {
    return new ZorError({
      reason: "CANCELLED",
      code: status.CANCELLED,
      message: "the call was cancelled",
      cause: error,
    });
  }
  return new ZorError({
    reason: "INTERNAL",
    code: status.INTERNAL,
    message: "internal error; the program's log says more",
    cause: error,
  });
}

function any(type: string, value: Uint8Array): { typeUrl: string; value: Buffer } {
  return { typeUrl: `${typePrefix}${type}`, value: Buffer.from(value) };
}

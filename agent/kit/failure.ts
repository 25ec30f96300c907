import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../lib/errors.js";
import { ToolError } from "../host/exec.js";
import { toldOf, withoutDirectories } from "../host/told.js";
import { installWords } from "../host/tool-packages.js";

/** Whether an error says that the disk or a quota is full. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof ToolError) return /No space left on device|Disk quota exceeded/.test(error.stderrTail);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** RESOURCE_EXHAUSTED for a full disk. */
export function diskFull(resource: string, cause: unknown): ZorError {
  return new ZorError({
    reason: "DISK_FULL",
    code: status.RESOURCE_EXHAUSTED,
    message: `the disk of the host is full, so ${resource} was not changed; free some space in the agent's state directory and try again`,
    resource,
    cause,
  });
}

/**
 * What a driver or the network threw, as an error for clients. ZorErrors stay; failed tools keep their words without the
 * directories of the host; aborts become CANCELLED; anything else is a fault of the program and stays as it is.
 */
export function asFailure(error: unknown, resource: string, action: string): unknown {
  if (error instanceof SuppressedError) return asFailure(error.suppressed, resource, action);
  if (error instanceof ZorError) return error.resource === "" ? about(error, resource, action) : error;
  if (isDiskFull(error)) return diskFull(resource, error);
  if (error instanceof Error && error.name === "AbortError") {
    return new ZorError({
      reason: "CANCELLED",
      code: status.CANCELLED,
      message: `could not ${action} ${resource}: it was cancelled`,
      resource,
      cause: error,
    });
  }
  if (!(error instanceof ToolError)) return error;
  if (error.isMissing) {
    const message = `could not ${action} ${resource}: ${error.tool} is not installed on the host; ${installWords(error.tool)}`;
    return failedPrecondition("TOOL_MISSING", resource, message);
  }
  return new ZorError({
    reason: "TOOL_FAILED",
    code: status.INTERNAL,
    message: `could not ${action} ${resource}: ${toldOf(error)}; the agent's log has the whole story`,
    resource,
    metadata: { tool: error.tool },
    cause: error,
  });
}

/** What a part of a driver that knows no names says. It may quote tools. */
function about(error: ZorError, resource: string, action: string): ZorError {
  const { reason, code, metadata, violations } = error;
  const message = `could not ${action} ${resource}: ${withoutDirectories(error.message)}`;
  return new ZorError({ reason, code, message, resource, metadata, violations, cause: error });
}

import { status } from "@grpc/grpc-js";

/** Exit codes of zor; `zor help exit-codes` prints {@link exitCodeTable}. */
export const exitCode = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  permission: 5,
  unavailable: 6,
  limit: 7,
  cut: 8,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const;

/** Every exit code with its meaning, for people. */
export const exitCodeTable: readonly (readonly [code: number, meaning: string])[] = [
  [exitCode.ok, "done"],
  [exitCode.error, "failed in a way not named below"],
  [exitCode.usage, "bad command line, bad name or bad value; nothing was changed"],
  [exitCode.notFound, "what is named does not exist"],
  [
    exitCode.conflict,
    "exists already, is not in a state that allows the command, or was changed by somebody else meanwhile",
  ],
  [exitCode.permission, "the role or the certificate does not allow the command"],
  [exitCode.unavailable, "hub or host cannot be reached, or did not answer in time"],
  [exitCode.limit, "a limit is reached; try again later"],
  [
    exitCode.cut,
    "zor exec: the command has ended, but a part of its output is missing; its own exit code is on standard error",
  ],
  [exitCode.hungUp, "the terminal was closed (SIGHUP)"],
  [exitCode.interrupted, "interrupted with Ctrl-C (SIGINT)"],
  [exitCode.terminated, "ended by SIGTERM"],
];

/** The exit code for a canonical gRPC status code. */
export function exitCodeOf(code: status): number {
  switch (code) {
    case status.OK:
      return exitCode.ok;
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
      return exitCode.usage;
    case status.NOT_FOUND:
      return exitCode.notFound;
    case status.ALREADY_EXISTS:
    case status.FAILED_PRECONDITION:
    case status.ABORTED:
      return exitCode.conflict;
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return exitCode.permission;
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
      return exitCode.unavailable;
    case status.RESOURCE_EXHAUSTED:
      return exitCode.limit;
    default:
      return exitCode.error;
  }
}

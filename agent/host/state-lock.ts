import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import koffi from "koffi";
import { ZorError } from "../../lib/errors.js";

// flock(2): LOCK_EX | LOCK_NB.
const exclusiveNonBlocking = 2 | 4;

/**
 * Makes this process the only agent on a state directory, until it ends or the result is disposed of. The kernel holds the
 * lock, so a killed agent leaves none behind, and it holds across net namespaces.
 * @throws {ZorError} FAILED_PRECONDITION that names the other agent's pid.
 */
export async function lockState(stateDirectory: string): Promise<AsyncDisposable> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  // Node opens with O_CLOEXEC: guests and daemons started later do not inherit the lock.
  const file = await open(join(stateDirectory, "lock"), "a+", 0o600);
  const libc = koffi.load("libc.so.6");
  const flock = libc.func("int flock(int fd, int operation)");
  // koffi's calls are untyped; flock returns an int.
  if ((flock(file.fd, exclusiveNonBlocking) as number) !== 0) {
    const owner = (await file.readFile("utf8")).trim();
    await file.close();
    throw new ZorError({
      reason: "STATE_IN_USE",
      code: status.FAILED_PRECONDITION,
      message: `another agent (pid ${owner}) already runs on ${stateDirectory}; stop it first, or give this one a directory of its own with --state`,
    });
  }
  await file.truncate(0);
  await file.writeFile(`${process.pid}\n`);
  return { [Symbol.asyncDispose]: () => file.close() };
}

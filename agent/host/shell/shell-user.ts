import { failedPrecondition } from "../../../lib/errors.js";
import { run } from "../exec.js";

/** A user of this host. */
export interface ShellUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

const fallbackShell = "/bin/sh";

/**
 * Reads a line of passwd(5); undefined: it is none. Pure.
 * @param line "lab:x:1000:1000:Lab,,,:/home/lab:/bin/bash"
 */
export function parseUser(line: string): ShellUser | undefined {
  const [name = "", , uid = "", gid = "", , home = "", shell = ""] = line.split(":");
  if (name === "" || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell || fallbackShell };
}

/**
 * Finds a user of this host, wherever its name service has it. Another name of root's is refused: whoever means root says so.
 * @throws {ZorError} FAILED_PRECONDITION
 */
export async function findShellUser(host: string, name: string, signal: AbortSignal): Promise<ShellUser> {
  const { stdout } = await run("getent", ["passwd", name], { signal, acceptedExitCodes: [0, 2] });
  const user = parseUser(stdout.split("\n")[0] ?? "");
  if (user === undefined || user.name !== name) {
    throw failedPrecondition(
      "NO_SUCH_USER",
      `hosts/${host}`,
      `hosts/${host} has no user ${name}, which its agent's setting hostShell names; make one there, or name another`,
    );
  }
  if (user.uid === 0 && name !== "root") {
    throw failedPrecondition(
      "POLICY",
      `hosts/${host}`,
      `the user ${name} of hosts/${host} is root by another name; its agent's setting hostShell must say root when it means root`,
    );
  }
  return user;
}

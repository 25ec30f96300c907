import { failedPrecondition, unavailable, type ZorError } from "../../../lib/errors.js";
import { run, ToolError } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";

/** Milliseconds that libvirt may take for anything. */
const limitMs = 10_000;
/** After this much silence a connection is given up: seconds between signs of life, and how many may be missing. */
export const keepAlive = ["-k", "2", "-K", "3"];

/** How a command of virsh is run. */
export interface VirshOptions {
  readonly uri: string;
  readonly signal: AbortSignal;
  /** Longest run in milliseconds; default 10,000. */
  readonly timeoutMs?: number;
}

/** The runtime does not answer, as opposed to: it refuses. */
export class SilentLibvirt extends Error {
  override readonly name = "SilentLibvirt";
}

/**
 * Runs virsh; `argv` is passed as it is. @throws {SilentLibvirt} when libvirt does not answer, {ToolError} when it refuses.
 */
export async function virsh(argv: readonly string[], options: VirshOptions): Promise<string> {
  const { uri, signal, timeoutMs = limitMs } = options;
  try {
    const { stdout } = await run("virsh", [...keepAlive, "-q", "-c", uri, ...argv], { signal, timeoutMs });
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ToolError && (error.exitCode === undefined || isConnectionLost(error.stderrTail)))
      throw new SilentLibvirt(explain(error, uri), { cause: error });
    throw error;
  }
}

/** Whether virsh says that there is no such domain. */
export function isNoDomain(error: unknown): boolean {
  if (!(error instanceof ToolError) || error.exitCode === undefined) return false;
  // Whatever else it says, such as that access is denied, is no sign that there is none.
  const lines = error.stderrTail.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0 && lines.every((line) => /^error: (?:failed to get domain|Domain not found)/.test(line));
}

/** What virsh says, in words that say what to do. */
export function explain(error: unknown, uri: string): string {
  if (!(error instanceof ToolError)) return toldOf(error);
  const said = error.stderrTail
    .split("\n")
    .map((line) => line.replace(/^error: /, "").trim())
    .filter((line) => line !== "" && line !== "failed to connect to the hypervisor")
    .join("; ")
    .slice(0, 600);
  const scheme = /^[a-z]+/.exec(uri)?.[0] ?? "";
  if (/no connection driver available|is not built in|was built without the|no driver.*available/i.test(said))
    return `this libvirt has no driver for ${scheme}; install one that has, or take ${uri} out of the agent's setting libvirt (${said})`;
  // What a driver can do differs from one to the next, and libvirt tells only when it is asked to.
  if (/not supported by the connection driver|is not supported|unsupported/i.test(said))
    return `libvirt's driver for ${scheme} cannot do that (${said})`;
  if (/authentication failed|credentials|Incorrect user ?name|login incorrect/i.test(said))
    return `${said}; name a file with user and password in the URI, as ?authfile=FILE (libvirt.org/auth.html)`;
  if (said === "" && error.message.includes("is not installed"))
    return "virsh is not installed; install the package libvirt-clients";
  return said === "" ? error.message : said;
}

/** What a refusal of libvirt is told as. */
export function asRefusal(error: unknown, { uri, name, doing }: { uri: string; name: string; doing: string }): unknown {
  if (error instanceof SilentLibvirt) return silent(name, `libvirt at ${uri} does not answer: ${error.message}`);
  if (!(error instanceof ToolError)) return error;
  return failedPrecondition("LIBVIRT_REFUSED", name, `libvirt could not ${doing}: ${explain(error, uri)}`);
}

/** UNAVAILABLE for work at what cannot be reached now. */
export function silent(name: string, message: string): ZorError {
  return unavailable("LIBVIRT_SILENT", name, `${message}; nothing was changed`);
}

function isConnectionLost(said: string): boolean {
  return /failed to connect|Failed to connect|client socket is closed|keepalive|End of file while reading|Cannot recv data|Cannot write data|no connection driver/i.test(
    said,
  );
}

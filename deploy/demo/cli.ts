import { nodePath, programPath } from "../../lib/program.js";
import { runTool } from "./tool.js";

/** The person a demo is for: with sudo, the one who called it, so that contexts and identities are theirs. */
interface Person {
  readonly uid: string;
  readonly gid: string;
  readonly home: string;
}

/** Runs the zor command as the person the demo is for and gives what it printed. */
export async function runZor(
  argv: readonly string[],
  options: { readonly context?: string; readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const context = options.context === undefined ? [] : [`ZOR_CONTEXT=${options.context}`];
  const person = await findSudoPerson();
  const become =
    person === undefined
      ? []
      : ["setpriv", `--reuid=${person.uid}`, `--regid=${person.gid}`, "--init-groups", "env", `HOME=${person.home}`];
  const [tool = "env", ...rest] = [...become, "env", ...context, nodePath, programPath("cli"), ...argv];
  return runTool(tool, rest, {
    timeoutMs: 60_000,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** Undefined when nobody called through sudo, or root did. */
async function findSudoPerson(): Promise<Person | undefined> {
  const uid = process.env["SUDO_UID"];
  const gid = process.env["SUDO_GID"];
  if (process.getuid?.() !== 0 || uid === undefined || gid === undefined || uid === "0") return undefined;
  const entry = (await runTool("getent", ["passwd", uid])).split(":");
  const home = entry[5];
  return home === undefined || home === "" ? undefined : { uid, gid, home };
}

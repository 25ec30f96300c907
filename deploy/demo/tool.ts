import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { ExecaError, execa } from "execa";
import { toolEnvironment } from "../../lib/environment/tool-environment.js";
import { wardedCommand, wardenEnd } from "../../lib/owned-process.js";

/**
 * Runs a host tool to its end, which comes with ours at the latest, and gives what it printed. The error names the tool, its arguments and its own words.
 */
export async function runTool(
  tool: string,
  argv: readonly string[],
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number; readonly input?: string } = {},
): Promise<string> {
  try {
    const result = await execa(...wardedCommand(tool, argv), {
      env: toolEnvironment(process.env),
      extendEnv: false,
      killSignal: wardenEnd,
      forceKillAfterDelay: 10_000,
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
      timeout: options.timeoutMs ?? 20_000,
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    return result.stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    const said = String(error.stderr ?? "").trim();
    throw new Error(`${tool} ${argv.join(" ")}: ${said === "" ? error.shortMessage : said}`, { cause: error });
  }
}

/** Starts a program that outlives us, in a session of its own, with its output appended to a log. Undefined: it cannot be started. */
export function startToStay(command: string, argv: readonly string[], logFile: string): number | undefined {
  const log = openSync(logFile, "a", 0o600);
  try {
    const child = spawn(command, argv, { detached: true, stdio: ["ignore", log, log], cwd: "/" });
    // One that cannot be started has no pid.
    child.on("error", () => undefined);
    child.unref();
    return child.pid;
  } finally {
    closeSync(log);
  }
}

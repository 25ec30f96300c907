import { spawn } from "node:child_process";
import { toolEnvironment } from "../environment/tool-environment.js";
import { ownedEnvironment, wardedCommand, wardenEnd } from "../owned-process.js";
import { escapeLine } from "./escape-line.js";

/** What is run. */
export interface ProgramRun {
  /** Program and arguments, from the configuration alone. */
  readonly command: readonly [string, ...string[]];
  /** Text for its standard input. */
  readonly input: string;
  readonly signal: AbortSignal;
}

/** What it says on standard error is told up to here. */
const mostToldBytes = 2000;

/**
 * Runs a program, without a shell; it and all that it starts end with this one, or when the signal aborts. @throws {Error} when it cannot
 * be run or ends otherwise than with 0.
 */
export async function runProgram({ command: [file, ...argv], input, signal }: ProgramRun): Promise<void> {
  signal.throwIfAborted();
  const [program, args] = wardedCommand(file, argv);
  const env = { ...ownedEnvironment, ...toolEnvironment(process.env) };
  const child = spawn(program, args, { cwd: "/", env, stdio: ["pipe", "ignore", "pipe"] });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told = `${told}${text}`.slice(-mostToldBytes);
  });
  // A program may end without reading.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const stop = (): void => void child.kill(wardenEnd);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const ended = await new Promise<string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, by) =>
        resolve(code === 0 ? "" : code === null ? `was ended by ${by ?? "a signal"}` : `ended with ${code}`),
      );
    });
    if (signal.aborted) throw new Error("did not end in time");
    if (ended !== "") throw new Error(told.trim() === "" ? ended : `${ended}: ${escapeLine(told)}`);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

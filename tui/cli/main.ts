import { exitWhenFlushed, tellLostOutput } from "../../lib/exit.js";
import { compileAddressPattern } from "../../lib/net/address-pattern.js";
import { exitCode } from "./exit-codes.js";
import { formatError } from "./output/print-error.js";
import { runCli } from "./run.js";

// A fault in the program is told as an error is, not as a stack.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(formatError(error, { json: false, verbose: process.argv.includes("--verbose") }));
    process.exit(exitCode.error);
  });
}
const interrupted = new AbortController();
for (const [signal, code] of [
  ["SIGINT", exitCode.interrupted],
  ["SIGTERM", exitCode.terminated],
  ["SIGHUP", exitCode.hungUp],
] as const) {
  process.on(signal, () => {
    // The second time there is no waiting for what is being undone.
    if (interrupted.signal.aborted) process.exit(code);
    interrupted.abort(signal);
  });
}
tellLostOutput();

async function main(): Promise<void> {
  compileAddressPattern();
  const code = await runCli(process.argv.slice(2), {
    terminal: { input: process.stdin, output: process.stdout },
    errors: process.stderr,
    env: process.env,
    signal: interrupted.signal,
  });
  // What is still to be written waits for its reader; a signal need not.
  interrupted.abort();
  await exitWhenFlushed(code);
}

void main();

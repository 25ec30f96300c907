import { runCli } from "./run.js";

const interrupted = new AbortController();
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    // The second time there is no waiting for what is being undone.
    if (interrupted.signal.aborted) process.exit(code);
    interrupted.abort(signal);
  });
}
// The reader of a pipe may leave early, as head does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});
process.stderr.on("error", () => undefined);

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: { input: process.stdin, output: process.stdout },
  errors: process.stderr,
  env: process.env,
  signal: interrupted.signal,
});
// A pipe that is still being written to would keep the process alive.
process.stdin.destroy();

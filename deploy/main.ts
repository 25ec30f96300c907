import { Command, InvalidArgumentError, Option } from "commander";
import { messageOf, ZorError } from "../lib/errors.js";
import { exitWhenFlushed, tellLostOutput } from "../lib/exit.js";
import { createLog } from "../lib/log.js";
import { usageErrorOutput } from "../lib/usage-error-output.js";
import { downSteps, takeDown } from "./demo/down.js";
import { demosDirectory, parseDemoName } from "./demo/layout.js";
import { showSteps } from "./demo/progress.js";
import { findLayout } from "./demo/state-file.js";
import { formatStatus, readStatus } from "./demo/status.js";
import { supervise } from "./demo/supervisor.js";
import { bringUp, upSteps } from "./demo/up.js";

tellLostOutput();
const interruption = new AbortController();
let signalled: NodeJS.Signals | undefined;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  // Not once: execa ends the process itself while a tool runs, unless somebody still listens. The second time nothing is waited for.
  process.on(name, () => {
    if (signalled !== undefined) process.exit(name === "SIGINT" ? 130 : 143);
    signalled = name;
    interruption.abort(new Error(`interrupted by ${name}`));
  });
}

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`zor: ${messageOf(error)}\n`);
    process.exit(1);
  });
}

const nameOption = new Option("--name <name>", "name of the demo: several can run at once")
  .env("ZOR_DEMO")
  .default("demo")
  .argParser((value) => {
    try {
      return parseDemoName(value);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  });

const demo = new Command("zor demo")
  .description(
    "A fleet of two hosts on this machine: a hub, two agents in net namespaces of their own, machines, containers, lans and a link.",
  )
  .addHelpText(
    "after",
    `\nExamples:\n  zor demo up\n  zor demo status -o json\n  ZOR_DEMO=second zor demo up\n  zor demo down\n\nState is kept below ${demosDirectory}. Exit codes: 0 done, 1 failed, 2 bad command line, 130 interrupted.`,
  );

demo
  .command("up")
  .description("bring the demo up, or what is missing of it, and prove that guests reach each other across the link")
  .addOption(nameOption)
  .action(async ({ name }: { name: string }) => {
    await bringUp(name, showSteps(upSteps, process.stdout), interruption.signal);
    const sudo = process.env["SUDO_UID"] === undefined ? "" : "sudo ";
    process.stdout.write(
      `\nThe demo is up. Look around: ./zor tui, ./zor get instances, ${sudo}./zor demo status. Take it down: ${sudo}./zor demo down\n`,
    );
  });

demo
  .command("status")
  .description("show the demo's programs, hosts, instances and link")
  .addOption(nameOption)
  .addOption(new Option("-o, --output <format>", "form of the output").choices(["text", "json"]).default("text"))
  .action(async ({ name, output }: { name: string; output: "text" | "json" }) => {
    const layout = await findLayout(name);
    if (layout === undefined)
      throw new Error(`no demo named "${name}" is up; bring it up with: ${withName(name)}zor demo up`);
    const status = await readStatus(layout);
    process.stdout.write(`${output === "json" ? JSON.stringify(status, undefined, 2) : formatStatus(status)}\n`);
  });

demo
  .command("down")
  .description("remove the demo, whole or half-built, with everything it made")
  .addOption(nameOption)
  .action(async ({ name }: { name: string }) => {
    await takeDown(name, showSteps(downSteps, process.stdout));
  });

demo
  .command("supervise", { hidden: true })
  .addOption(nameOption)
  .action(async ({ name }: { name: string }) => {
    const layout = await findLayout(name);
    if (layout === undefined) throw new Error(`no demo named "${name}" is up`);
    await supervise(layout, createLog("demo"), interruption.signal);
  });

for (const command of [demo, ...demo.commands]) {
  command.exitOverride();
  command.configureOutput(usageErrorOutput("zor demo"));
}

try {
  // The launcher passes its own first argument, "demo", on.
  await demo.parseAsync(process.argv.slice(3), { from: "user" });
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
// A hub that hangs would keep its connection, and with it this program, for ever.
await exitWhenFlushed(typeof process.exitCode === "number" ? process.exitCode : 0);

/** What is written before a command for a demo that has not the usual name. */
function withName(name: string): string {
  return name === "demo" ? "" : `ZOR_DEMO=${name} `;
}

function exitCodeOf(error: unknown): number {
  // commander has printed its own errors; help and version end with code 0.
  if (
    error instanceof Error &&
    "exitCode" in error &&
    typeof error.exitCode === "number" &&
    !(error instanceof ZorError)
  ) {
    return error.exitCode === 0 ? 0 : 2;
  }
  if (signalled !== undefined) {
    process.stderr.write(
      "zor: interrupted; what is there stays: go on with zor demo up, or remove it with zor demo down\n",
    );
    return signalled === "SIGINT" ? 130 : 143;
  }
  process.stderr.write(`zor: ${messageOf(error)}\n`);
  return 1;
}

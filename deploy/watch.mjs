// npm run watch -- PROGRAM [ARGUMENTS]: bundles one program whenever its sources change and starts it again.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { context } from "esbuild";
import { boundCommand } from "../lib/owned-process.ts";
import { moduleOptions, placeStarts, programs, scriptOptions, scripts } from "./bundles.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
/** Files of dist/ that belong to a program that is made of modules. */
const parts = {
  agent: ["agent", "cable-engine", "cable-worker", "box-worker", "console-pump", "lan-relay"],
  hub: ["hub", "join", "hub-relay", "relay-worker"],
};
const usage = `npm run watch -- PROGRAM [ARGUMENTS]

Bundles one program into dist/ whenever one of its sources changes. PROGRAM is agent, hub, tui or cli (zor's command line).

With ARGUMENTS it runs the program with them, and starts it again after each build; its output stands here.
Without, tui runs as it is, and an agent or hub that runs from this checkout is ended with SIGTERM: the supervisor of a demo starts it
again with the new code (guests, lans and cables go on). cli is only bundled: every command starts anew.

Examples:
  npm run watch -- hub                     with zor demo up in this checkout: its hub, always the newest
  npm run watch -- agent                   the demo's agents, likewise
  npm run watch -- hub run --state /tmp/hub --listen 127.0.0.1:7450 --join-listen 127.0.0.1:7451
  npm run watch -- tui --context demo
  npm run watch -- cli                     and in another terminal: ./zor get hosts

Types are not checked here: npm run types. Ctrl-C ends it, and the program that it runs.`;

const [program, ...argv] = process.argv.slice(2);
if (program === "--help" || program === "-h") {
  console.log(usage);
  process.exit(0);
}
const isScript = program !== undefined && Object.hasOwn(scripts, program);
if (program === undefined || (!isScript && !Object.hasOwn(parts, program))) {
  console.error(program === undefined ? usage : `no such program: ${program}\n\n${usage}`);
  process.exit(2);
}

let child;
let ending = false;
const runs = argv.length > 0 || program === "tui";
const pick = (of, names) => Object.fromEntries(names.map((name) => [name, of[name]]));
const options = isScript
  ? scriptOptions(dist, pick(scripts, [program]))
  : moduleOptions(dist, pick(programs, parts[program]));
if (isScript) placeStarts(dist, pick(scripts, [program]));
const restarter = {
  name: "restart",
  setup(build) {
    build.onEnd(async ({ errors }) => {
      if (errors.length > 0 || ending) return;
      if (runs) await restart();
      else endRunning();
    });
  },
};
const watching = await context({ ...options, plugins: [...options.plugins, restarter] });
await watching.watch();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    if (ending) return;
    ending = true;
    await stop();
    await watching.dispose();
    process.exit(0);
  });
}

/** Ends the program that runs here and starts it with the new code. */
async function restart() {
  await stop();
  if (ending) return;
  const entry = `${program}${isScript ? ".cjs" : ".js"}`;
  // The programs expect the word that the launcher chose them by.
  const words = program === "cli" ? argv : [program, ...argv];
  child = spawn(...boundCommand(process.execPath, [join(dist, entry), ...words]), { stdio: "inherit" });
  const started = child;
  started.once("exit", (code, signal) => {
    if (child !== started) return;
    child = undefined;
    if (program === "tui" && !ending) process.kill(process.pid, "SIGTERM");
    else if (!ending) console.log(`${program} ended (${signal ?? code}); it starts again when a source changes`);
  });
}

async function stop() {
  const running = child;
  child = undefined;
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
  const ended = new Promise((resolve) => running.once("exit", resolve));
  running.kill("SIGTERM");
  const timer = setTimeout(() => running.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}

/** Ends what runs from this checkout: a demo's supervisor starts it again. */
function endRunning() {
  const file = join(dist, `${program}.js`);
  const pids = readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return words[1] === file && words[3] === "run";
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
  for (const pid of pids) {
    try {
      process.kill(Number(pid), "SIGTERM");
    } catch (error) {
      console.error(`cannot end ${program} (pid ${pid}): ${error.message}`);
    }
  }
  const time = new Date().toLocaleTimeString();
  const told = pids.length === 0 ? "none runs from this checkout" : `ended, to be started anew: pid ${pids.join(", ")}`;
  console.log(program === "cli" ? `${time} bundled` : `${time} bundled; ${told}`);
}

// Has zor's command line and its terminal program do what people do most, against a hub of its own, and keeps what V8 compiled for that: the
// next start need not.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { boundCommand } from "../lib/owned-process.ts";
import { scripts } from "./bundles.mjs";

const limitMs = 60_000;
/** How zor ends when what it asks cannot be reached. */
const unavailable = 6;
/** Command lines whose code is kept. */
const usual = [
  ["cli", "get", "hosts"],
  ["cli", "get", "instances"],
  // Refused, as no agent has joined: all that is done before that is what it takes to make one.
  ["cli", "create", "instance", "h1/m1", "--kernel", "micro", "--nic", "lan=lab"],
  ["tui"],
];

/**
 * Writes cli-HASH.code for cli-main.cjs, and likewise for the terminal program, in a directory that has hub.js as well. Where it cannot be
 * made, says so: zor works without it, commands start 30 ms and the terminal program half a second later.
 */
export async function keepCompiledCode(dist) {
  nameByHash(dist);
  const directory = await mkdtemp(join(tmpdir(), "zor-build-"));
  try {
    await using hub = await startHub(dist, directory);
    const config = join(directory, "config");
    const env = {
      ...{ PATH: process.env.PATH, HOME: directory, XDG_STATE_HOME: directory, ZOR_CONFIG: config },
      ...{ TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
    };
    const run = (argv) => promisify(execFile)(...boundCommand(process.execPath, argv), { env, timeout: limitMs });
    const cli = join(dist, "cli.cjs");
    await run([cli, "context", "add", "build", "--address", hub.address, "--identity", hub.admin]);
    await run([cli, "host", "add", "h1", "--address", "127.0.0.1:1"]);
    const keep = join(import.meta.dirname, "run-and-keep-code.cjs");
    for (const [program, ...argv] of usual) {
      await run([...launcherOptions(program), keep, dist, program, ...argv]).catch((error) => {
        if (error.code !== unavailable) throw error;
      });
    }
  } catch (error) {
    console.warn(`zor: what V8 compiles could not be kept, so programs start slower: ${error.message}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** With what Node is started by the launcher: V8 takes no code that was compiled with other options. */
export function launcherOptions(program) {
  const launcher = readFileSync(join(import.meta.dirname, "../zor"), "utf8");
  const options = new RegExp(`program=${program}\\.cjs options="([^"]*)"`).exec(launcher)?.[1] ?? "";
  return options.split(" ").filter((option) => option !== "");
}

/** Puts its hash before each script, for start-script.cjs, and removes what was compiled of others. */
export function nameByHash(dist) {
  for (const name of readdirSync(dist)) if (/^(?:cli|tui)-\w+\.code/.test(name)) rmSync(join(dist, name));
  for (const name of Object.keys(scripts)) {
    const file = join(dist, `${name}-main.cjs`);
    const source = readFileSync(file, "utf8");
    const beyond = /.{0,40}[^\x00-\x7f].{0,20}/.exec(source);
    if (beyond !== null)
      throw new Error(`start-script.cjs reads ASCII alone; in regular expressions write \\uXXXX in: ${beyond[0]}`);
    writeFileSync(file, `/*${createHash("sha256").update(source).digest("hex").slice(0, 16)}*/${source}`);
  }
}

/** A hub on ports that the system picks; it ends with its disposal, and with this process. */
async function startHub(dist, directory) {
  const listeners = ["--listen", "--join-listen", "--reverse-listen", "--relay-listen"].flatMap((flag) => [
    flag,
    "127.0.0.1:0",
  ]);
  const argv = [join(dist, "hub.js"), "hub", "run", "--state", join(directory, "hub"), ...listeners];
  const child = spawn(...boundCommand(process.execPath, argv), { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "close");
  const stop = setTimeout(() => child.kill("SIGTERM"), limitMs);
  const end = async () => {
    clearTimeout(stop);
    child.kill("SIGTERM");
    await ended;
  };
  let last = "it said nothing";
  for await (const line of createInterface({ input: child.stderr })) {
    last = line;
    const { msg, listen, admin } = JSON.parse(line);
    if (msg !== "hub is serving") continue;
    child.stderr.resume();
    return { address: listen[0], admin, [Symbol.asyncDispose]: end };
  }
  await end();
  throw new Error(`no hub could be started: ${last}`);
}

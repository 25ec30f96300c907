// Has zor's command line do what people do most, against a hub of its own, and keeps what V8 compiled for it: the next start need not.
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

const limitMs = 20_000;
/** How zor ends when what it asks cannot be reached. */
const unavailable = 6;
/** Command lines whose code is kept. */
const usual = [
  ["get", "hosts"],
  ["get", "instances"],
  // Refused, as no agent has joined: all that is done before that is what it takes to make one.
  ["create", "instance", "h1/m1", "--kernel", "micro", "--nic", "lan=lab"],
];

/**
 * Writes cli-HASH.code for cli-main.cjs in a directory that has hub.js as well. Where it cannot be made, says so: zor works without it,
 * 30 ms slower.
 */
export async function keepCompiledCode(dist) {
  for (const name of readdirSync(dist)) if (/^cli-\w+\.code/.test(name)) rmSync(join(dist, name));
  nameByHash(join(dist, "cli-main.cjs"));
  const directory = await mkdtemp(join(tmpdir(), "zor-build-"));
  try {
    await using hub = await startHub(dist, directory);
    const env = { PATH: process.env.PATH, ZOR_CONFIG: join(directory, "config") };
    const zor = (program, argv) =>
      promisify(execFile)(...boundCommand(process.execPath, [program, ...argv]), { env, timeout: limitMs });
    const cli = join(dist, "cli.cjs");
    await zor(cli, ["context", "add", "build", "--address", hub.address, "--identity", hub.admin]);
    await zor(cli, ["host", "add", "h1", "--address", "127.0.0.1:1"]);
    for (const argv of usual) {
      await zor(join(import.meta.dirname, "run-and-keep-code.cjs"), [dist, ...argv]).catch((error) => {
        if (error.code !== unavailable) throw error;
      });
    }
  } catch (error) {
    console.warn(`zor: what V8 compiles could not be kept, so commands start slower: ${error.message}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Puts the hash of a script before it, for start-cli.cjs. */
export function nameByHash(file) {
  const source = readFileSync(file, "utf8");
  if (/[^\x00-\x7f]/.test(source)) throw new Error(`${file} has characters beyond ASCII, and start-cli.cjs reads none`);
  writeFileSync(file, `/*${createHash("sha256").update(source).digest("hex").slice(0, 16)}*/${source}`);
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

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { toolEnvironment } from "../../../lib/environment/tool-environment.js";
import { endProcess, findProcesses, type ProcessIdentity } from "../../../lib/process.js";
import { nodePath, programPath } from "../../../lib/program.js";

const program = "hub-relay";
/** It has to close its connections. */
const endMs = 2_000;
/** It moves bytes, and keeps none of them. */
const nodeFlags = ["--max-semi-space-size=1", "--max-old-space-size=256"];

/** What the relay says besides its log. */
export function relayLogFile(directory: string): string {
  return join(directory, "relay.log");
}

/** Relays of a hub: one, or what is left of others. */
export function findRelays(directory: string): Promise<ProcessIdentity[]> {
  return findProcesses((argv) => {
    const at = argv.indexOf("--directory");
    return argv.some((each) => basename(each, ".js") === program) && at !== -1 && argv[at + 1] === directory;
  });
}

/** Ends every relay of a hub, with all that it carries. */
export async function endRelays(directory: string): Promise<void> {
  const found = await findRelays(directory);
  await Promise.all(found.map((each) => endProcess(each, endMs)));
}

/** Starts a relay that outlives this process. @returns whether it runs still. @throws when it cannot be started. */
export async function startRelay(directory: string): Promise<() => boolean> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const logFile = relayLogFile(directory);
  await rm(logFile, { force: true });
  const output = openSync(logFile, "a", 0o600);
  const child = spawn(nodePath, [...nodeFlags, programPath(program), "--directory", directory], {
    detached: true,
    stdio: ["ignore", output, output],
    env: toolEnvironment(process.env),
    cwd: "/",
  });
  closeSync(output);
  let runs = true;
  child.once("exit", () => {
    runs = false;
  });
  child.unref();
  if (child.pid === undefined) await once(child, "spawn");
  return () => runs;
}

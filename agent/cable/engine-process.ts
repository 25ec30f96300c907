import { mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { pause } from "../../lib/backoff.js";
import { unavailable } from "../../lib/errors.js";
import { endProcess, findIdentity, isAlive, type ProcessIdentity } from "../../lib/process.js";
import { nodePath, programPath } from "../../lib/program.js";
import { startDaemon } from "../host/exec.js";
import type { EngineHello } from "../../proto/gen/zor/agent/v1/engine.js";
import { ControlClient } from "../engine/protocol/control-client.js";
import {
  type EndCalls,
  endProtocol,
  type EndsEvent,
  endSocket,
  engineProtocol,
} from "../engine/protocol/end-protocol.js";

/** The connection to an engine, about its ends. */
export type EngineClient = ControlClient<EndCalls, EndsEvent>;

/** How the engine of a host is run. */
export interface EngineSettings {
  /** The engine's own directory. */
  readonly directory: string;
  /** "ip:port" of the data port; port 0: any. */
  readonly listen: string;
  readonly netns: string | undefined;
  /** Net namespace of the engine's sockets; undefined: the agent's own. */
  readonly underlayNetns: string | undefined;
  /** Links may go without encryption. */
  readonly allowPlainLinks: boolean;
  /** UDP super-frames may come into the host's lans, see the cable manager's option. */
  readonly udpSuperFrames: boolean;
  /** Key of the identity in the directory. */
  readonly keySha256: Buffer;
}

/** A running engine and the connection to it. */
export interface RunningEngine {
  readonly client: EngineClient;
  readonly hello: EngineHello;
  /** It ran before. */
  readonly adopted: boolean;
}

const startMs = 15_000;
const pollMs = 25;
const maxLogBytes = 4 * 1024 * 1024;

/**
 * Connects to the engine of a directory, or starts it. An engine that runs with other settings or speaks another protocol is ended
 * and replaced; that interrupts its cables for a moment, the ends come back from disk.
 */
export async function ensureEngine(
  settings: EngineSettings,
  onEnds: (event: EndsEvent) => void,
  signal: AbortSignal,
): Promise<RunningEngine> {
  await mkdir(settings.directory, { recursive: true, mode: 0o700 });
  const found = await findEngine(settings.directory, onEnds);
  if (found !== undefined) {
    if (fits(found.hello, settings)) return { ...found, adopted: true };
    found.client.close();
    await endProcess(found.hello, 5_000);
  }
  return { ...(await startEngine(settings, onEnds, signal)), adopted: false };
}

/** Connects to the engine of a directory and checks that it is the process it says it is. */
async function findEngine(
  directory: string,
  onEnds: (event: EndsEvent) => void,
): Promise<{ readonly client: EngineClient; readonly hello: EngineHello } | undefined> {
  const client = await ControlClient.connect(join(directory, endSocket), endProtocol, onEnds);
  if (client === undefined) return undefined;
  try {
    const hello = await client.ask("hello", {});
    if (await isAlive(hello)) return { client, hello };
  } catch {
    // It ended, or hangs; starting another tells which.
  }
  client.close();
  return undefined;
}

function fits(hello: EngineHello, settings: EngineSettings): boolean {
  const { listen, netns, keySha256, allowPlainLinks, udpSuperFrames } = settings;
  return (
    hello.protocol === engineProtocol &&
    hello.requestedListen === listen &&
    hello.allowPlainLinks === allowPlainLinks &&
    hello.udpSuperFrames === udpSuperFrames &&
    hello.netns === (netns ?? "") &&
    hello.keySha256.equals(keySha256)
  );
}

async function startEngine(
  { directory, listen, netns, underlayNetns, allowPlainLinks, udpSuperFrames }: EngineSettings,
  onEnds: (event: EndsEvent) => void,
  signal: AbortSignal,
): Promise<{ readonly client: EngineClient; readonly hello: EngineHello }> {
  const argv = [programPath("cable-engine"), "--directory", directory, "--listen", listen];
  const logFile = join(directory, "engine.log");
  await rotate(logFile);
  if (netns !== undefined) argv.push("--netns", netns);
  if (allowPlainLinks) argv.push("--allow-plain-links");
  if (udpSuperFrames) argv.push("--udp-super-frames");
  const pid = await startDaemon(nodePath, argv, { logFile, netns: underlayNetns });
  const identity = await findIdentity(pid);
  const deadline = performance.now() + startMs;
  while (performance.now() < deadline && !signal.aborted) {
    const found = await findEngine(directory, onEnds);
    if (found !== undefined) return found;
    if (identity === undefined || !(await isAlive(identity))) break;
    await pause(pollMs, signal);
  }
  await endIfAlive(identity);
  throw unavailable("ENGINE_START", "", `the cable engine did not start; see ${logFile} on the host for the reason`);
}

/** Keeps at most one earlier log. */
async function rotate(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (file) => file.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(logFile, `${logFile}.1`);
}

async function endIfAlive(identity: ProcessIdentity | undefined): Promise<void> {
  if (identity !== undefined) await endProcess(identity, 1_000);
}

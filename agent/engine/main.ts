import { openSync } from "node:fs";
import { mkdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ended, endSignal } from "../../lib/end-signals.js";
import { messageOf } from "../../lib/errors.js";
import { createLog } from "../../lib/log.js";
import { findStartTicks } from "../../lib/process.js";
import { version } from "../../lib/program.js";
import { ControlServer } from "./control/control-server.js";
import { loadCableIdentity } from "./protocol/cable-identity.js";
import { endSocket, engineProtocol } from "./protocol/end-protocol.js";
import { boundLog } from "./bounded-log.js";
import { endControl } from "./control/end-control.js";
import { endStore } from "./ends/end-store.js";
import { Ends } from "./ends/ends.js";
import { openBoxes } from "./boxes/box-part.js";
import { tryLock } from "./native.js";

/** Exit codes, for whoever started the engine. */
const exitCodes = { failed: 1, alreadyRunning: 3, crashed: 70 } as const;

/** How long an engine before this one may take to be gone. */
const lockPatienceMs = 5_000;
const lockPollMs = 20;
/** The kernel takes long to delete the taps of many ends. */
const longestEndMs = 30_000;

const log = createLog("cable-engine");
/** The agent has what is logged appended to a file, and may be away for long while peers give cause for more. */
const logBounds = { file: "engine.log", maxBytes: 4 * 1024 * 1024, lookMs: 60_000 } as const;

// Entry of dist/cable-engine.js: `cable-engine --directory DIR --listen IP:PORT [--netns NAME] [--allow-plain-links] [--udp-super-frames]`, started by the agent, which it outlives.
const { values } = parseArgs({
  options: {
    directory: { type: "string" },
    listen: { type: "string" },
    netns: { type: "string" },
    "allow-plain-links": { type: "boolean", default: false },
    "udp-super-frames": { type: "boolean", default: false },
  },
});

interface Settings {
  readonly directory: string;
  readonly listen: string;
  readonly netns: string | undefined;
  readonly allowPlainLinks: boolean;
  readonly udpSuperFrames: boolean;
}

async function main(settings: Settings): Promise<void> {
  const { directory, listen, netns, allowPlainLinks, udpSuperFrames } = settings;
  const signal = endSignal({ longestMs: longestEndMs, lateCode: exitCodes.failed });
  // The terminal the agent was started from may go away.
  process.on("SIGHUP", () => undefined);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (!(await lockInTime(openSync(join(directory, "engine.lock"), "a", 0o600)))) {
    log.error({ directory }, "a cable engine runs for this directory already");
    process.exit(exitCodes.alreadyRunning);
  }
  const store = endStore(directory);
  const { records, warning } = await store.load();
  if (warning !== undefined) log.error(warning);
  const identity = await loadCableIdentity(directory);
  const startTicks = (await findStartTicks(process.pid)) ?? "";
  const policy = { allowPlainLinks, udpSuperFrames };
  const ends = await Ends.open({ identity, store, listen, netns, ...policy, log, onCrash: crash }, records);
  const closeBoxes = await openBoxes({
    directory,
    netns,
    salt: identity.keySha256.toString("hex"),
    log,
    onCrash: crash,
  });
  const socketPath = join(directory, endSocket);
  const ending = Promise.withResolvers<void>();
  const service = endControl({
    ends,
    hello: () => ({
      protocol: engineProtocol,
      version,
      pid: process.pid,
      startTicks,
      listen: ends.listen,
      requestedListen: listen,
      netns: netns ?? "",
      keySha256: identity.keySha256,
      ...policy,
      warnings: [...(warning === undefined ? [] : [warning]), ...ends.warnings],
    }),
    onShutdown: () => ending.resolve(),
  });
  const control = await ControlServer.open(socketPath, service);
  setInterval(() => void boundLog(join(directory, logBounds.file), logBounds.maxBytes), logBounds.lookMs).unref();
  log.info({ listen: ends.listen, netns, ends: records.length }, "cable engine ready");
  await Promise.race([ending.promise, ended(signal)]);
  await Promise.all([ends.close(), closeBoxes()]);
  control.close();
  await unlink(socketPath).catch(() => undefined);
  log.info("cable engine ended");
  process.exit(0);
}

/** An engine that was killed holds its lock until the kernel has deleted its taps, long after its connections have closed. */
async function lockInTime(fd: number): Promise<boolean> {
  const deadlineMs = performance.now() + lockPatienceMs;
  while (!tryLock(fd)) {
    if (performance.now() >= deadlineMs) return false;
    await delay(lockPollMs);
  }
  return true;
}

/** A thread or the engine itself met a bug. The agent starts the engine again; all ends are restored from disk. */
function crash(error: unknown): void {
  log.fatal(
    { error: error instanceof Error ? error.stack : messageOf(error) },
    "the cable engine met an unexpected error",
  );
  process.exit(exitCodes.crashed);
}

process.on("uncaughtException", crash);
process.on("unhandledRejection", crash);

const { directory, listen, netns } = values;
if (directory === undefined || listen === undefined) {
  log.fatal(
    "usage: cable-engine --directory DIR --listen IP:PORT [--netns NAME] [--allow-plain-links] [--udp-super-frames]",
  );
  process.exit(exitCodes.failed);
}
main({
  ...{ directory, listen, netns },
  allowPlainLinks: values["allow-plain-links"],
  udpSuperFrames: values["udp-super-frames"],
}).catch((error: unknown) => {
  log.fatal({ error: messageOf(error) }, "the cable engine cannot start");
  process.exit(exitCodes.failed);
});

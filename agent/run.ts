import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../lib/files.js";
import type { Log } from "../lib/log.js";
import type { KeptLog } from "../lib/logs/kept-log.js";
import { MemoryKeeper, ownMemory } from "../lib/memory-keeper.js";
import { Agent } from "./agent.js";
import { type AgentConfig, settle } from "./config.js";
import { dialOutForever } from "./dial-out.js";
import { ensureHostUid } from "./host/host-uid.js";
import { lockState } from "./host/state-lock.js";
import { openHostParts } from "./host-parts.js";
import { isDiskFull } from "./kit/failure.js";
import { IdentityHolder, identityDirectory, loadHostIdentity } from "./identity-holder.js";
import { findJoinData } from "./join-data.js";
import { LocalControl } from "./local-control.js";
import { refusalLog } from "./refusal-log.js";
import { renewForever } from "./renewal.js";

/**
 * Runs the agent until the signal aborts; guests, lans and links go on afterwards.
 * @throws {ZorError} when it cannot begin: no identity, the state directory in use, an address taken.
 */
export async function runAgent(
  config: AgentConfig,
  { log, keptLog }: { readonly log: Log; readonly keptLog: KeptLog },
  signal: AbortSignal,
): Promise<void> {
  await using _lock = await lockState(config.state);
  const joined = await findJoinData(config.state, (damage) => log.error(damage));
  const { identity: loaded, host } = await loadHostIdentity(config.state, config.host);
  const settings = settle(config, joined, host);
  const identity = new IdentityHolder(loaded);
  const hostUid = await ensureHostUid(config.state);
  const parts = await openHostParts({ settings, hostUid, log, signal });
  const agent = await Agent.start({ settings, hostUid, identity, parts, log, keptLog });
  const directory = identityDirectory(config.state);
  const hubAddresses = joined?.hubAddresses ?? [];
  const addresses = settings.dialOut ? (joined?.hubReverseAddresses ?? []) : [];
  if (settings.dialOut && addresses.length === 0) {
    log.error(
      "dial-out is set, but joining told no address at which the hub accepts agents; join again with --dial-out",
    );
  }
  const work = Promise.all([
    hubAddresses.length === 0 ? undefined : renewForever({ identity, directory, hubAddresses, log }, signal),
    dialOutForever(
      {
        ...{ identity, addresses, log, boot: agent.boot },
        accept: (socket) => agent.server.accept(socket),
        onRefused: refusalLog(log),
      },
      signal,
    ),
  ]);
  await using _control = await LocalControl.open(settings.state, {
    shutdownGuests: (report, given) => agent.shutdownGuests(report, AbortSignal.any([given, signal])),
  });
  await writeRunFile(settings.state, { host, netns: settings.netns, listen: agent.addresses }).catch(
    (error: unknown) => {
      // Whoever frees space on a full disk needs an agent that serves.
      log.error({ err: error }, "run.json could not be written: zor on this host does not find this agent by it");
    },
  );
  new MemoryKeeper(ownMemory(), (given) => log.info(given, "memory was given back")).start();
  log.info({ host, listen: agent.addresses, netns: settings.netns }, "the agent serves");
  await aborted(signal);
  log.info("the agent ends; instances, lans and links go on");
  await work;
  await agent.close();
}

/** Tells others where the agent is, once it serves. */
async function writeRunFile(
  stateDirectory: string,
  facts: { readonly host: string; readonly netns: string; readonly listen: readonly string[] },
): Promise<void> {
  const startTime = new Date(Date.now() - process.uptime() * 1000).toISOString();
  const text = `${JSON.stringify({ pid: process.pid, startTime, ...facts })}\n`;
  const path = join(stateDirectory, "run.json");
  try {
    await writeFileAtomic(path, text, { mode: 0o644 });
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    // The place of the last one's needs no more room.
    await writeFile(path, text, { flag: "r+" });
    await truncate(path, Buffer.byteLength(text));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

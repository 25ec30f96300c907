import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { findStartTicks } from "../../lib/process.js";
import { runZor } from "./cli.js";
import { ensureContext } from "./context.js";
import {
  ensureHost,
  ensureLan,
  ensureLink,
  ensureStarted,
  type FleetContext,
  guests,
  waitForGuest,
  waitForHost,
} from "./fleet.js";
import { waitForHub } from "./hub-client.js";
import type { DemoLayout, HostLayout } from "./layout.js";
import { lockDemo } from "./lock.js";
import { ensureNetwork } from "./network.js";
import { findProgram, startProgram, supervisorProgram } from "./programs.js";
import type { Progress } from "./progress.js";
import { formatProof, prove } from "./proof.js";
import { ensureLayout } from "./state-file.js";

/** Number of steps {@link bringUp} shows. */
export const upSteps = 7;

const tools = ["ip", "nsenter", "qemu-system-x86_64", "ovs-vsctl", "ovsdb-server", "crun"];
const imageManifest = "/var/lib/zor/images/micro/manifest.json";

/**
 * Brings a demo up, or what is missing of it, and proves that its guests reach each other across the link. Idempotent.
 * On failure everything stays as it is, to be looked at, brought up again or taken down.
 */
export async function bringUp(name: string, progress: Progress, signal: AbortSignal): Promise<void> {
  await checkMachine();
  await using _lock = await lockDemo(name);
  const layout = await ensureLayout(name);
  await mkdir(join(layout.directory, "log"), { recursive: true, mode: 0o700 });
  await progress.step("net namespaces for two hosts, wired to each other and to the hub", () =>
    ensureNetwork(layout, signal),
  );
  const hub = await progress.step(`hub at ${layout.hubMain}, kept running by the demo's supervisor`, async () => {
    await ensureSupervisor(layout);
    return waitForHub(layout, 30_000, signal);
  });
  try {
    await furnish({ hub, layout, signal }, progress);
  } finally {
    hub.close();
  }
  const kinds = ["hosts", "instances", "links"];
  const tables = await Promise.all(kinds.map((kind) => runZor(["get", kind], { context: name, signal })));
  for (const table of tables) progress.say(`\n${table.trimEnd()}`);
}

/** Everything begins as soon as what it needs is there; the steps only tell of it, in the order in which it mostly comes about. */
async function furnish(fleet: FleetContext, progress: Progress): Promise<void> {
  const { hub, layout, signal } = fleet;
  const context = begun(ensureContext(hub, layout, signal));
  const hosts = layout.hosts.map((host) => {
    const ready = begun(ensureHost(fleet, host).then(() => waitForHost(fleet, host)));
    const lan = begun(ready.then(() => ensureLan(fleet, host)));
    return { ready, lan, running: begun(lan.then(() => ensureGuests(fleet, host))) };
  });
  const link = begun(Promise.all(hosts.map(({ lan }) => lan)).then(() => ensureLink(fleet)));
  const all = (part: "ready" | "lan" | "running") => Promise.all(hosts.map((host) => host[part]));
  await progress.step("agents on alpha and beta, joined with one-time tokens", () => all("ready"));
  await progress.step("a lan on each host", () => all("lan"));
  await progress.step("link demo between the two lans", () => link);
  await progress.step("a machine and a container on each lan", () => all("running"));
  const proofs = await progress.step("proof: pings across the link, and a context for the zor command", async () => {
    const [pings, said] = await Promise.all([prove(hub, signal), context]);
    return { pings, said };
  });
  for (const proof of proofs.pings) progress.say(`      ${formatProof(proof)}`);
  progress.say(`      ${proofs.said}`);
}

/** Work that nobody waits for yet: its failure is told by the step that does. */
function begun<Result>(work: Promise<Result>): Promise<Result> {
  work.catch(() => undefined);
  return work;
}

/** The machine first: it takes longest, so what else the host makes waits for the processor rather than the machine. */
async function ensureGuests(fleet: FleetContext, host: HostLayout): Promise<void> {
  const ready: Promise<void>[] = [];
  for (const guest of guests.filter((each) => each.host === host.id)) {
    await ensureStarted(fleet, guest);
    ready.push(begun(waitForGuest(fleet, guest)));
  }
  await Promise.all(ready);
}

/** Starts the supervisor unless it runs. */
async function ensureSupervisor(layout: DemoLayout): Promise<void> {
  const program = supervisorProgram(layout);
  if ((await findProgram(program)) !== undefined) return;
  const identity = await startProgram(program);
  if (identity === undefined || (await findStartTicks(identity.pid)) === undefined) {
    throw new Error(`the supervisor could not be started; its log: ${program.log}`);
  }
}

/** @throws {ZorError} naming everything that is missing on this machine and the remedy. */
async function checkMachine(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw notReady("it makes net namespaces and starts machines: run it as root, for example with sudo");
  const missing: string[] = [];
  for (const tool of tools) if (!(await isOnPath(tool))) missing.push(tool);
  if (!(await isThere(imageManifest))) missing.push("the micro guest image");
  if (missing.length > 0) throw notReady(`missing on this machine: ${missing.join(", ")}; run: npm run setup`);
}

function notReady(message: string): ZorError {
  return new ZorError({
    reason: "NOT_SET_UP",
    code: status.FAILED_PRECONDITION,
    message: `the demo cannot run here: ${message}`,
  });
}

async function isOnPath(tool: string): Promise<boolean> {
  const directories = (process.env["PATH"] ?? "").split(":");
  const found = await Promise.all(directories.map((directory) => isThere(join(directory, tool))));
  return found.includes(true);
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

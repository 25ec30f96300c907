import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { findStartTicks } from "../../lib/process.js";
import { runZor } from "./cli.js";
import { ensureContext } from "./context.js";
import { ensureGuest, ensureHost, ensureLan, ensureLink, type FleetContext, guests, waitForHost } from "./fleet.js";
import { waitForHub } from "./hub-client.js";
import type { DemoLayout } from "./layout.js";
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
  for (const kind of ["hosts", "instances", "links"]) {
    progress.say(`\n${(await runZor(["get", kind], { context: name, signal })).trimEnd()}`);
  }
}

async function furnish(fleet: FleetContext, progress: Progress): Promise<void> {
  const { hub, layout, signal } = fleet;
  const onEveryHost = (work: (host: DemoLayout["hosts"][number]) => Promise<void>) =>
    Promise.all(layout.hosts.map(work));
  await progress.step("agents on alpha and beta, joined with one-time tokens", async () => {
    await onEveryHost((host) => ensureHost(fleet, host));
    await onEveryHost((host) => waitForHost(fleet, host));
  });
  await progress.step("a lan on each host", () => onEveryHost((host) => ensureLan(fleet, host)));
  await progress.step("a machine and a container on each lan", () =>
    Promise.all(guests.map((guest) => ensureGuest(fleet, guest))),
  );
  await progress.step("link demo between the two lans", () => ensureLink(fleet));
  const proofs = await progress.step("proof: pings across the link, and a context for the zor command", async () => {
    const [pings, said] = await Promise.all([prove(hub, signal), ensureContext(hub, layout, signal)]);
    return { pings, said };
  });
  for (const proof of proofs.pings) progress.say(`      ${formatProof(proof)}`);
  progress.say(`      ${proofs.said}`);
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

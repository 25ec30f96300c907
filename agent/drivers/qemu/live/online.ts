import { setTimeout as delay } from "node:timers/promises";
import type { GuestAgent } from "../guest-agent.js";
import { asObject, numberOf, objectsIn } from "../json.js";
import type { Machine } from "../machine.js";

/** How long a guest may take to see what was plugged. */
const seenMs = 5000;
const pollMs = 50;
const answerMs = 5000;
const bytesPerMib = 1024 * 1024;

/**
 * Has the guest use CPUs that were plugged, by its agent. A guest without one, or whose agent cannot, brings them online itself, as most
 * distributions do, or leaves them: that is not for the host to say.
 */
export async function bringCpusOnline(machine: Machine, count: number, signal: AbortSignal): Promise<void> {
  await untilDone(machine, signal, async (agent) => {
    const cpus = objectsIn(await agent.execute("guest-get-vcpus", {}, answerMs));
    const offline = cpus.filter((cpu) => cpu["online"] !== true);
    if (offline.length > 0) {
      const vcpus = offline.map((cpu) => ({ "logical-id": numberOf(cpu, "logical-id"), online: true }));
      await agent.execute("guest-set-vcpus", { vcpus }, answerMs);
    }
    return cpus.length >= count;
  });
}

/** As {@link bringCpusOnline}, for memory. */
export async function bringMemoryOnline(machine: Machine, totalMib: number, signal: AbortSignal): Promise<void> {
  let blockBytes: number | undefined;
  await untilDone(machine, signal, async (agent) => {
    blockBytes ??= numberOf(asObject(await agent.execute("guest-get-memory-block-info", {}, answerMs)), "size");
    if (blockBytes === undefined) return true;
    const blocks = objectsIn(await agent.execute("guest-get-memory-blocks", {}, answerMs));
    const offline = blocks.filter((block) => block["online"] !== true);
    if (offline.length > 0) {
      const wanted = offline.map((block) => ({ "phys-index": numberOf(block, "phys-index"), online: true }));
      await agent.execute("guest-set-memory-blocks", { "mem-blks": wanted }, answerMs);
    }
    return blocks.length * blockBytes >= totalMib * bytesPerMib;
  });
}

async function untilDone(
  machine: Machine,
  signal: AbortSignal,
  attempt: (agent: GuestAgent) => Promise<boolean>,
): Promise<void> {
  if (!machine.execReady) return;
  const deadline = performance.now() + seenMs;
  try {
    const agent = await machine.guestAgent();
    while (!(await attempt(agent)) && performance.now() < deadline) await delay(pollMs, undefined, { signal });
  } catch {
    // The machine has them; the guest's agent is old, busy or forbids it.
  }
}

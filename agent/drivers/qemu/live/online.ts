import { setTimeout as delay } from "node:timers/promises";
import { ZorError } from "../../../../lib/errors.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { GuestAgent } from "../guest-agent.js";
import { asObject, numberOf, objectsIn } from "../json.js";

/** How long a change waits for a guest to see what was plugged. */
const seenMs = 5000;
/** And beside that, until it is told. */
const lateMs = 60_000;
const defaultTimes = { seenMs, lateMs, pollMs: 50 };
const answerMs = 5000;
const bytesPerMib = 1024 * 1024;

type PluggedAgent = Pick<GuestAgent, "execute">;

/** A machine, as far as it is asked whether its guest has seen something. */
interface PluggedMachine {
  readonly execReady: boolean;
  readonly guestAgent: () => Promise<PluggedAgent>;
}

/** How a guest is waited for. */
export interface OnlineOptions {
  readonly signal: AbortSignal;
  /** Told, for people, when the guest has not seen it for long. */
  readonly onUnseen: (message: string) => void;
  readonly times?: typeof defaultTimes;
}

/**
 * Has the guest use CPUs that were plugged, by its agent. A guest without one, or whose agent cannot, brings them online itself, as most
 * distributions do, or leaves them: that is not for the host to say.
 */
export async function bringCpusOnline(machine: PluggedMachine, count: number, options: OnlineOptions): Promise<void> {
  const attempt = async (agent: PluggedAgent): Promise<boolean> => {
    const cpus = objectsIn(await agent.execute("guest-get-vcpus", {}, answerMs));
    const offline = cpus.filter((cpu) => cpu["online"] !== true);
    if (offline.length > 0) {
      const vcpus = offline.map((cpu) => ({ "logical-id": numberOf(cpu, "logical-id"), online: true }));
      await agent.execute("guest-set-vcpus", { vcpus }, answerMs);
    }
    return cpus.length >= count;
  };
  await untilDone(machine, attempt, { ...options, what: "CPUs" });
}

/** As {@link bringCpusOnline}, for memory. */
export async function bringMemoryOnline(
  machine: PluggedMachine,
  totalMib: number,
  options: OnlineOptions,
): Promise<void> {
  let blockBytes: number | undefined;
  const attempt = async (agent: PluggedAgent): Promise<boolean> => {
    blockBytes ??= numberOf(asObject(await agent.execute("guest-get-memory-block-info", {}, answerMs)), "size");
    if (blockBytes === undefined) return true;
    const blocks = objectsIn(await agent.execute("guest-get-memory-blocks", {}, answerMs));
    const offline = blocks.filter((block) => block["online"] !== true);
    if (offline.length > 0) {
      const wanted = offline.map((block) => ({ "phys-index": numberOf(block, "phys-index"), online: true }));
      await agent.execute("guest-set-memory-blocks", { "mem-blks": wanted }, answerMs);
    }
    return blocks.length * blockBytes >= totalMib * bytesPerMib;
  };
  await untilDone(machine, attempt, { ...options, what: "memory" });
}

/**
 * Does it until it is done: a while before the change is told as made, and after that beside it, since a guest on a busy host sees late what
 * was plugged. What it never sees is told.
 */
async function untilDone(
  machine: PluggedMachine,
  attempt: (agent: PluggedAgent) => Promise<boolean>,
  { signal, what, onUnseen, times = defaultTimes }: OnlineOptions & { readonly what: string },
): Promise<void> {
  if (!machine.execReady) return;
  if (await isDone(machine, attempt, { signal, timeoutMs: times.seenMs, pollMs: times.pollMs })) return;
  const late = isDone(machine, attempt, { signal: uninterrupted, timeoutMs: times.lateMs, pollMs: times.pollMs });
  void late.then((done) => {
    const remedy = "look inside whether it takes them, or start it anew";
    if (!done) onUnseen(`its guest has not taken all of its ${what} into use; ${remedy}`);
  });
}

async function isDone(
  machine: PluggedMachine,
  attempt: (agent: PluggedAgent) => Promise<boolean>,
  { signal, timeoutMs, pollMs }: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly pollMs: number },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      if (await attempt(await machine.guestAgent())) return true;
    } catch (error) {
      // The machine has them; the guest's agent is old or forbids it. One that is only slow is asked again.
      if (error instanceof ZorError && error.reason === "GUEST_AGENT_REFUSED") return true;
    }
    if (signal.aborted || performance.now() >= deadline) return false;
    await delay(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

import { readdir, readFile, readlink } from "node:fs/promises";
import { constants } from "node:os";
import { findIdentity, type ProcessIdentity, signalProcess } from "../../../lib/process.js";

const { SIGTERM, SIGPWR, SIGINT, SIGQUIT } = constants.signals;
/** SIGRTMIN+3 as the C library counts: systemd as first process halts on it (systemd(1)), and only starts itself again on SIGTERM. */
const systemdHalt = 37;
/** What else first processes take for "end", in the order they are tried. */
const otherSignals = [systemdHalt, SIGPWR, SIGINT, SIGQUIT] as const;

/** How a first process is asked. */
interface EndSignals {
  /** For the first process itself. */
  readonly first: readonly number[];
  /** For all others in the container: the first one does not listen, but may end when they have. */
  readonly others: readonly number[];
}

/**
 * Which signals ask the first process of a container to end; pure. The kernel keeps from it what it does not listen to.
 * @param processStatus its /proc/{pid}/status. @param attempt how often it was asked before.
 */
export function toEndSignals(processStatus: string, attempt: number): EndSignals {
  const heard = (signal: number): boolean => ((listened(processStatus) >> BigInt(signal - 1)) & 1n) === 1n;
  const isSystemd = /^Name:\tsystemd$/m.test(processStatus) && heard(systemdHalt);
  if (isSystemd) return { first: [systemdHalt], others: [] };
  if (attempt === 0) return { first: [SIGTERM], others: [] };
  const more = otherSignals.filter(heard);
  const next = more[(attempt - 1) % Math.max(1, more.length)];
  if (heard(SIGTERM)) return { first: next === undefined || attempt === 1 ? [SIGTERM] : [SIGTERM, next], others: [] };
  return { first: next === undefined ? [SIGTERM] : [next], others: [SIGTERM] };
}

/** Asks a container to end by signals to its processes. */
export async function askToEnd(first: ProcessIdentity, attempt: number): Promise<void> {
  const processStatus = await readFile(`/proc/${first.pid}/status`, "utf8").catch(() => "");
  const signals = toEndSignals(processStatus, attempt);
  for (const signal of signals.first) await signalProcess(first, signal);
  if (signals.others.length === 0) return;
  for (const other of await findOthers(first.pid)) {
    for (const signal of signals.others) await signalProcess(other, signal);
  }
}

/** Signals with a handler, and blocked ones: who waits for signals (sigwait, signalfd) blocks them. */
function listened(processStatus: string): bigint {
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\t([0-9a-f]{1,16})$`, "m").exec(processStatus)?.[1] ?? "0"}`);
  return mask("SigCgt") | mask("SigBlk");
}

/** The other processes of the pid namespace whose first process this is. */
async function findOthers(pid: number): Promise<readonly ProcessIdentity[]> {
  const namespace = await readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
  if (namespace === undefined) return [];
  const found: ProcessIdentity[] = [];
  for (const entry of await readdir("/proc")) {
    const other = Number(entry);
    if (!/^\d+$/.test(entry) || other === pid) continue;
    // Identity first: what is then found in the namespace is that very process.
    const identity = await findIdentity(other);
    if (identity === undefined || (await readlink(`/proc/${entry}/ns/pid`).catch(() => "")) !== namespace) continue;
    found.push(identity);
  }
  return found;
}

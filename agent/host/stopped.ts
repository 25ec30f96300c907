import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../lib/log.js";
import { isAlive, type ProcessIdentity, signalProcess } from "../../lib/process.js";

/** Between two looks; so many in a row find a process stopped before it is told to go on. */
const lookMs = 500;
const looks = 3;

/** A process that somebody had stopped, and that goes on. */
export interface Continued {
  readonly name: string;
  /** When it was first seen to be stopped, by performance.now(). */
  readonly sinceMs: number;
}

/** What to look after. */
export interface StoppedOptions {
  /** The processes as they are now, by name. What cannot be read is left out. */
  readonly find: () => Promise<Readonly<Record<string, ProcessIdentity>>>;
  readonly onContinued: (continued: Continued) => void;
  readonly log: Log;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Has daemons go on that somebody stopped (SIGSTOP): they are neither gone nor busy, and lose nothing by it. A debugger that holds one is
 * not meddled with. Looks are counted, not timed: whoever was held up itself has not looked. Never rejects; resolves at the signal's end.
 */
export async function keepGoing({ find, onContinued, log, signal }: StoppedOptions): Promise<void> {
  const seen = new Map<string, { readonly identity: ProcessIdentity; readonly sinceMs: number; count: number }>();
  while (!signal.aborted) {
    await delay(lookMs, undefined, { signal }).catch(() => undefined);
    const processes = signal.aborted ? {} : await find().catch(() => ({}));
    for (const [name, identity] of Object.entries(processes)) {
      if (!(await isStopped(identity))) {
        seen.delete(name);
        continue;
      }
      const known = seen.get(name);
      const same = known?.identity.pid === identity.pid && known.identity.startTicks === identity.startTicks;
      const entry = same ? known : { identity, sinceMs: performance.now(), count: 0 };
      seen.set(name, entry);
      entry.count += 1;
      if (entry.count < looks) continue;
      seen.delete(name);
      log.warn({ pid: identity.pid, name }, "a daemon was stopped by somebody else (SIGSTOP); it is told to go on");
      if (await signalProcess(identity, "SIGCONT")) onContinued({ name, sinceMs: entry.sinceMs });
    }
  }
}

/** Whether exactly this process is stopped by a signal (SIGSTOP, SIGTSTP); one that a debugger holds is not. */
export async function isStopped(identity: ProcessIdentity): Promise<boolean> {
  const stat = await readFile(`/proc/${identity.pid}/stat`, "utf8").catch(() => "");
  // The command name stands in parentheses and may itself hold parentheses.
  return stat.startsWith("T ", stat.lastIndexOf(")") + 2) && (await isAlive(identity));
}

import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../lib/log.js";
import { isAlive } from "../../lib/process.js";
import type { DemoLayout } from "./layout.js";
import { type DemoProgram, findProgram, startProgram, supervisedPrograms } from "./programs.js";
import { restartWait } from "./restart-wait.js";

/** How often the supervisor looks. */
const pollMs = 100;

/**
 * Keeps the hub and the agents of a demo running until the signal aborts: adopts those that run and starts those that do not.
 * It starts and watches programs, nothing else: guests, lans and cables are theirs. When it ends, everything goes on running.
 */
export async function supervise(layout: DemoLayout, log: Log, signal: AbortSignal): Promise<void> {
  await Promise.all(supervisedPrograms(layout).map((program) => keepRunning(program, log, signal)));
}

async function keepRunning(program: DemoProgram, log: Log, signal: AbortSignal): Promise<void> {
  let waitMs = 0;
  while (!signal.aborted) {
    await until(() => isNeededThere(program), signal);
    await pause(waitMs, signal);
    if (signal.aborted) return;
    const running = await findProgram(program);
    const identity = running ?? (await startProgram(program));
    const began = performance.now();
    log.info({ program: program.id, pid: identity?.pid, adopted: running !== undefined }, "running");
    if (identity !== undefined) await until(async () => !(await isAlive(identity)), signal);
    if (signal.aborted) return;
    const ranMs = performance.now() - began;
    waitMs = restartWait(waitMs, ranMs);
    log.warn({ program: program.id, pid: identity?.pid, ranMs: Math.round(ranMs), waitMs }, "ended; starting it again");
  }
}

async function isNeededThere(program: DemoProgram): Promise<boolean> {
  if (program.needs === undefined) return true;
  return stat(program.needs).then(
    () => true,
    () => false,
  );
}

async function until(condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await condition())) await pause(pollMs, signal);
}

/** Waits, or less when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}

import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { syncDirectory } from "../../../lib/files.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { DiskQuota } from "../disk-quota.js";
import type { CallOptions, DriverInstance, Progress } from "../driver-instance.js";
import { asObject, numberOf, textOf } from "./json.js";
import { settleCarriers } from "./live/settle.js";
import type { Machine } from "./machine.js";
import { sizeOf } from "./options.js";
import { toldOf } from "../../host/told.js";

/**
 * The memory of a machine on disk. Under its final name it is whole, and the machine has not run since. While it is written it has a name that
 * says whether the machine ran; one under which it is `used` belongs to a machine that goes on.
 */
const names = { whole: "memory", ofRunning: "memory.running", ofPaused: "memory.paused", used: "memory.used" } as const;
/** Nobody else needs the disk's bandwidth as the machine does, which stands still: QEMU's own bound is for networks. */
const unbounded = 2 ** 40;
const pollMs = 20;

const bytesPerMib = 1024 * 1024;

/** Memory is written in full. @throws {ZorError} RESOURCE_EXHAUSTED when the host's disk has no room for it. */
export async function assertMemoryFits(quota: DiskQuota, { name, spec }: DriverInstance): Promise<void> {
  const { memoryMib } = sizeOf(spec);
  const why = (spare: number) =>
    `its ${memoryMib} MiB of memory do not fit on the host's disk, which has ${Math.floor(spare / bytesPerMib)} MiB to give`;
  await quota.assertSpare(name, memoryMib * bytesPerMib, why);
}

/** Whether the memory of a machine is on disk. */
export function hasMemoryImage(instance: DriverInstance): boolean {
  return existsSync(pathOf(instance, "whole"));
}

/** Removes what is on disk of a machine's memory. Idempotent. */
export async function removeMemoryImage(instance: DriverInstance): Promise<void> {
  for (const name of Object.keys(names)) await rm(pathOf(instance, name as keyof typeof names), { force: true });
}

/**
 * Stops the CPUs of a machine and writes its memory to disk; when it resolves the machine has only to be ended. On error it runs on as before.
 * @throws {ZorError} when QEMU cannot, or the disk is full.
 */
export async function writeMemoryImage(
  instance: DriverInstance,
  machine: Machine,
  { signal, progress }: CallOptions & { readonly progress: Progress },
): Promise<void> {
  const wasRunning = (await machine.queryStatus()) === "running";
  const path = pathOf(instance, wasRunning ? "ofRunning" : "ofPaused");
  await using undo = new AsyncDisposableStack();
  await removeMemoryImage(instance);
  undo.defer(() => removeMemoryImage(instance));
  await using file = await open(path, "wx", 0o600);
  if (wasRunning) {
    undo.defer(async () => void (await machine.execute("cont")));
    await machine.execute("stop");
  }
  await machine.execute("migrate-set-parameters", { "max-bandwidth": unbounded });
  await machine.executeWith(file.fd, "getfd", { fdname: "memory" });
  undo.defer(() => cancelMigration(machine));
  await machine.execute("migrate", { uri: "fd:memory" });
  await untilMigrated(machine, instance.name, { signal, progress });
  await file.sync();
  await rename(path, pathOf(instance, "whole"));
  await syncDirectory(instance.directory);
  undo.move();
}

/** Gives a new machine that was started for it (-incoming defer) its memory; its CPUs stand still. */
export async function readMemoryImage(instance: DriverInstance, machine: Machine, options: CallOptions): Promise<void> {
  await using file = await open(pathOf(instance, "whole"), "r");
  await machine.executeWith(file.fd, "getfd", { fdname: "memory" });
  try {
    await machine.execute("migrate-incoming", { uri: "fd:memory" });
    await untilMigrated(machine, instance.name, { ...options, progress: () => undefined });
  } catch (error) {
    options.signal.throwIfAborted();
    const { name } = instance;
    const remedy = "if QEMU was changed since it was suspended, throw its memory away with: zor stop";
    throw failedPrecondition(
      "MEMORY_REFUSED",
      name,
      `${name}: QEMU does not take its memory (${toldOf(error)}); ${remedy}`,
    );
  }
  await settleCarriers(machine, instance.spec);
}

/** From now on the machine goes on by itself, and its memory on disk is of no use any more. */
export async function spendMemoryImage(instance: DriverInstance): Promise<void> {
  await rename(pathOf(instance, "whole"), pathOf(instance, "used"));
  await syncDirectory(instance.directory);
}

/** Ends what an agent that was killed has left at a machine that runs: one that was to be suspended goes on, one that goes on does so. */
export async function settleMemoryImage(instance: DriverInstance, machine: Machine): Promise<void> {
  const ran = existsSync(pathOf(instance, "ofRunning")) || existsSync(pathOf(instance, "used"));
  if (!ran && !existsSync(pathOf(instance, "ofPaused"))) return;
  await cancelMigration(machine);
  if (ran && (await machine.queryStatus()) !== "running") await machine.execute("cont");
  await removeMemoryImage(instance);
}

async function untilMigrated(
  machine: Machine,
  resource: string,
  { signal, progress }: CallOptions & { readonly progress: Progress },
): Promise<void> {
  for (;;) {
    const facts = asObject(await machine.execute("query-migrate"));
    const status = textOf(facts, "status");
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled") {
      const why = textOf(facts, "error-desc") || "QEMU does not say why";
      throw unavailable("MEMORY_NOT_MOVED", resource, `${resource}: its memory could not be written or read: ${why}`);
    }
    const ram = asObject(facts?.["ram"]);
    const [done, total] = [numberOf(ram, "transferred") ?? 0, numberOf(ram, "total") ?? 0];
    if (total > 0) progress("writing its memory", Math.min(99, (100 * done) / total));
    await delay(pollMs, undefined, { signal });
  }
}

/** Resolves when no memory is on the way any more. */
async function cancelMigration(machine: Machine): Promise<void> {
  await machine.execute("migrate_cancel");
  for (;;) {
    const status = textOf(asObject(await machine.execute("query-migrate")), "status");
    if (!["setup", "active", "cancelling", "device", "pre-switchover"].includes(status)) return;
    await delay(pollMs, undefined, { signal: uninterrupted });
  }
}

function pathOf({ directory }: DriverInstance, name: keyof typeof names): string {
  return join(directory, names[name]);
}

import { failedPrecondition } from "../../../../lib/errors.js";
import { uninterrupted } from "../../../../lib/uninterrupted.js";
import type { InstanceSpec } from "../../../../proto/gen/zor/v1/instance.js";
import type { CallOptions, DriverInstance } from "../../driver-instance.js";
import { setBalloon } from "../hardware/balloon.js";
import { memoryOf, slotsOf, toPluggedBackend } from "../hardware/memory.js";
import { pinning } from "../hardware/pinning.js";
import { objectsIn, textOf } from "../json.js";
import type { Machine } from "../machine.js";
import { qemuOptionsOf, sizeOf } from "../options.js";
import { removeDevice } from "./live-machine.js";
import { bringCpusOnline, bringMemoryOnline } from "./online.js";
import { toldOf } from "../../../host/told.js";

/** What is changed of a running machine's size. */
export interface SizeChange {
  readonly instance: DriverInstance;
  /** The same with the specification that it is to have. */
  readonly changed: DriverInstance;
  /** Takes back what has been done, should the rest of the change fail. */
  readonly undo: AsyncDisposableStack;
  /** Told, for people, of what the guest does not take into use. */
  readonly onUnseen: (message: string) => void;
}

/** Guests that do not know how to let go of a CPU or memory say nothing. */
const takeBackMs = 3000;

/**
 * Gives a running machine more CPUs and memory, another size of its balloon, and other CPUs of the host. What a guest has not let go of
 * when the change is taken back stays plugged until its next start.
 * @throws {ZorError} and then everything is as it was.
 */
export async function changeSize(machine: Machine, change: SizeChange, options: CallOptions): Promise<void> {
  const { instance, changed } = change;
  const [before, after] = [sizeOf(instance.spec), sizeOf(changed.spec)];
  const isPinnedAnew = pinOf(instance.spec) !== pinOf(changed.spec);
  if (after.cpus > before.cpus) await plugCpus(machine, after.cpus, change, options);
  if (after.memoryMib > before.memoryMib) {
    await plugMemory(machine, after.memoryMib - before.memoryMib, change, options);
  }
  if (after.cpus > before.cpus || isPinnedAnew) {
    if (isPinnedAnew) change.undo.defer(() => pin(machine, instance));
    await pin(machine, changed);
  }
  if (balloonOf(instance.spec) !== balloonOf(changed.spec) || after.memoryMib > before.memoryMib) {
    change.undo.defer(() => setBalloon(machine, instance.spec));
    await setBalloon(machine, changed.spec);
  }
  const online = { signal: options.signal, onUnseen: change.onUnseen };
  if (after.cpus > before.cpus) await bringCpusOnline(machine, after.cpus, online);
  if (after.memoryMib > before.memoryMib) await bringMemoryOnline(machine, after.memoryMib, online);
}

/**
 * @throws {ZorError} FAILED_PRECONDITION when memory was plugged into a running machine: one that starts anew has it in one piece, and what
 * was in the pieces does not fit it.
 */
export async function assertMemoryInOnePiece(machine: Machine, what: string): Promise<void> {
  if (objectsIn(await machine.execute("query-memory-devices")).length === 0) return;
  const { resource } = machine;
  const message = `${resource} was given memory while it ran, so it cannot ${what} before it has been stopped and started`;
  throw failedPrecondition("MEMORY_PLUGGED", resource, message);
}

/** Fills the first empty places. */
async function plugCpus(machine: Machine, count: number, { undo }: SizeChange, { signal }: CallOptions): Promise<void> {
  const { resource } = machine;
  // QEMU tells the last one first.
  const places = [...objectsIn(await machine.execute("query-hotpluggable-cpus"))].reverse();
  const empty = places.filter((place) => textOf(place, "qom-path") === "");
  const wanted = empty.slice(0, Math.max(0, count - (places.length - empty.length)));
  if (places.length < count) {
    const remedy = "its processors were made for no more; it gets them with its next start";
    throw failedPrecondition("NOT_PLUGGABLE", resource, `${resource} has places for ${places.length} CPUs: ${remedy}`);
  }
  for (const place of wanted) {
    const props = Object(place["props"]);
    const id = ["cpu", ...Object.values(props)].join("-");
    try {
      await machine.execute("device_add", { driver: textOf(place, "type"), id, ...props });
    } catch (cause) {
      const message = `${resource}: QEMU takes no more CPUs while it runs (${toldOf(cause)}); stop it first`;
      throw failedPrecondition("NOT_PLUGGABLE", resource, message);
    }
    undo.defer(() => letGo(machine, id, "a CPU"));
    signal.throwIfAborted();
  }
}

/** Adds one piece of memory. */
async function plugMemory(machine: Machine, sizeMib: number, change: SizeChange, options: CallOptions): Promise<void> {
  const { resource } = machine;
  const { undo, instance } = change;
  const asked = qemuOptionsOf(instance.spec);
  const pieces = objectsIn(await machine.execute("query-memory-devices"));
  const slots = slotsOf(memoryOf(asked));
  if (pieces.length >= slots) {
    const message = `${resource} was given memory ${slots} times since it started, as often as qemu.memory.slots allows; stop it first`;
    throw failedPrecondition("NO_MEMORY_SLOT", resource, message);
  }
  const taken = new Set(pieces.map((piece) => textOf(Object(piece["data"]), "id")));
  const id = Array.from({ length: slots }, (_, index) => `dimm${index}`).find((each) => !taken.has(each)) ?? "";
  const memdev = `${id}-memory`;
  await machine.execute("object-add", await toPluggedBackend(memdev, sizeMib, { options: asked, resource }));
  undo.defer(async () => void (await machine.execute("object-del", { id: memdev }).catch(() => undefined)));
  try {
    await machine.execute("device_add", { driver: "pc-dimm", id, memdev });
  } catch (cause) {
    const message = `${resource}: QEMU takes no more memory while it runs (${toldOf(cause)}); stop it first`;
    throw failedPrecondition("NOT_PLUGGABLE", resource, message);
  }
  undo.defer(() => letGo(machine, id, "memory"));
  options.signal.throwIfAborted();
}

async function letGo(machine: Machine, id: string, what: string): Promise<void> {
  const options = { resource: machine.resource, signal: uninterrupted, what, waitMs: takeBackMs };
  await removeDevice(machine, id, options).catch(() => undefined);
}

async function pin(machine: Machine, { spec, name }: DriverInstance): Promise<void> {
  await pinning.beforeRun?.({ spec, options: qemuOptionsOf(spec) }, machine, name);
}

function pinOf(spec: InstanceSpec): string {
  return qemuOptionsOf(spec).processors?.pin ?? "";
}

function balloonOf(spec: InstanceSpec): bigint {
  return memoryOf(qemuOptionsOf(spec)).balloonMib;
}

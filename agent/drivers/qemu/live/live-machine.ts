import { readlink } from "node:fs/promises";
import { failedPrecondition, messageOf, ZorError } from "../../../../lib/errors.js";
import { ownPrefix } from "../blocks/block-engine.js";
import { asObject, type JsonObject, numberOf, objectsIn, textOf } from "../json.js";
import type { QmpEvent } from "../qmp-client.js";

/** A running machine, as far as changing it needs it. */
export interface LiveMachine {
  /** Its process, where it is known. */
  readonly identity?: { readonly pid: number };
  /** Runs a QMP command. @throws {ZorError} */
  execute(command: string, args?: JsonObject, timeoutMs?: number): Promise<unknown>;
  /** Runs a QMP command that takes a descriptor. @throws {ZorError} */
  executeWith(descriptor: number, command: string, args?: JsonObject): Promise<unknown>;
  /** Has a listener told of every event of QEMU until the returned function is called. */
  listen(listener: (event: QmpEvent) => void): () => void;
}

/** What is asked of a running machine. */
export interface LiveOptions {
  /** Resource name for errors. */
  readonly resource: string;
  readonly signal: AbortSignal;
}

/** What descriptors that are given to a running QEMU are marked with. */
export const descriptorMark = "zor";
/** Guests take devices away at once, after five seconds (Linux, where a button is pressed for it), or never. */
const letGoMs = 15_000;

/**
 * Takes a device away and resolves when the guest has let go of it (QMP device_del, DEVICE_DELETED). Idempotent: one that is not there is
 * away. When it is refused everything is as before, and it may be asked for again.
 * @throws {ZorError} FAILED_PRECONDITION when the guest does not let go of it, or the bus does not know how to.
 */
export async function removeDevice(
  machine: LiveMachine,
  id: string,
  { resource, signal, what, waitMs = letGoMs }: LiveOptions & { readonly what: string; readonly waitMs?: number },
): Promise<void> {
  const gone = Promise.withResolvers<"deleted" | "refused" | "late">();
  const stop = machine.listen(({ name, data }) => {
    if (data["device"] !== id) return;
    if (name === "DEVICE_DELETED") gone.resolve("deleted");
    if (name === "DEVICE_UNPLUG_GUEST_ERROR") gone.resolve("refused");
  });
  const giveUp = (): void => gone.resolve("late");
  const timer = setTimeout(giveUp, waitMs);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    try {
      await machine.execute("device_del", { id });
    } catch (error) {
      if (isNoDevice(error)) return;
      // It was asked before and thinks about it: the event comes all the same.
      if (!/already in the process of unplug/.test(messageOf(error))) throw cannotUnplug(resource, what, error);
    }
    const end = await gone.promise;
    if (end === "deleted") return;
    signal.throwIfAborted();
    throw notLetGo(resource, what);
  } finally {
    stop();
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/**
 * Machines that have had nothing on servers were started where no server can be reached.
 * @throws {ZorError} FAILED_PRECONDITION when it is one of those.
 */
export async function assertReachesServers({ identity }: LiveMachine, { resource }: LiveOptions): Promise<void> {
  const [own, its] = await Promise.all([
    readlink("/proc/self/ns/net"),
    readlink(`/proc/${identity?.pid ?? "self"}/ns/net`).catch(() => undefined),
  ]);
  if (own === its) return;
  const remedy = "stop it first: with such a volume in its specification it can from its next start";
  throw failedPrecondition(
    "NO_NETWORK",
    resource,
    `${resource}: the running machine cannot reach the server of the volume, because it had none on a server when it was started; ${remedy}`,
  );
}

/** Gives a descriptor to QEMU for its block drivers; resolves to the number of its set. */
export async function addDescriptor(machine: LiveMachine, fd: number): Promise<number> {
  const set = numberOf(asObject(await machine.executeWith(fd, "add-fd", { opaque: descriptorMark })), "fdset-id");
  if (set === undefined) throw new Error("QEMU did not tell where it has put a descriptor");
  return set;
}

/** Removes a block node and the descriptors that it was opened by. Idempotent. */
export async function removeNode(machine: LiveMachine, node: string): Promise<void> {
  const found = (await listNodes(machine)).find((each) => textOf(each, "node-name") === node);
  if (found === undefined) return;
  await machine.execute("blockdev-del", { "node-name": node });
  const set = /^\/dev\/fdset\/(\d+)$/.exec(textOf(found, "file"))?.[1];
  if (set !== undefined) await machine.execute("remove-fd", { "fdset-id": Number(set) }).catch(() => undefined);
}

/** All named block nodes. */
export async function listNodes(machine: LiveMachine): Promise<readonly JsonObject[]> {
  return objectsIn(await machine.execute("query-named-block-nodes", { flat: true }));
}

/** The nodes of a disk, those that others are over last: the one on top goes first. */
export async function nodesOfDisk(machine: LiveMachine, id: string): Promise<readonly string[]> {
  const names = (await listNodes(machine)).map((node) => textOf(node, "node-name"));
  // A volume that was moved while the machine ran has a new name.
  const isTop = (name: string): boolean => name === id || name.startsWith(`${ownPrefix}${id}-`);
  const level = (name: string): number => (isTop(name) ? 0 : Number(name.slice(id.length + "base".length)));
  const own = names.filter((name) => isTop(name) || new RegExp(`^${id}base\\d+$`).test(name));
  return own.sort((one, other) => level(one) - level(other));
}

/** What QEMU calls the device of a disk or drive where it asks for one, and what it tells of it; undefined: there is none. */
export async function findBlockDevice(
  machine: LiveMachine,
  id: string,
): Promise<{ readonly device: string; readonly facts: JsonObject } | undefined> {
  for (const facts of objectsIn(await machine.execute("query-block"))) {
    const device = textOf(facts, "qdev");
    // Some devices hold their disk in a part of theirs.
    if (device === id || device.startsWith(`/machine/peripheral/${id}/`)) return { device, facts };
  }
  return undefined;
}

function isNoDevice(error: unknown): boolean {
  return /Device '[^']*' not found/.test(messageOf(error));
}

function notLetGo(resource: string, what: string): ZorError {
  const why = "does the guest still boot, or use it (mounted, in a bridge)?";
  return failedPrecondition(
    "DEVICE_IN_USE",
    resource,
    `${resource}: the guest does not let go of ${what}: ${why} It stays; free it in the guest and ask again, or stop the machine first`,
  );
}

/** Nobody knows what a QEMU thinks that does not answer: that is told as it is. */
function cannotUnplug(resource: string, what: string, cause: unknown): ZorError {
  if (cause instanceof ZorError && cause.reason !== "QMP_COMMAND_FAILED") return cause;
  const why = messageOf(cause).replace(/^.*QEMU refused device_del: /, "");
  return failedPrecondition(
    "CANNOT_UNPLUG",
    resource,
    `${resource}: ${what} cannot be taken away while it runs (${why}); stop the machine first`,
  );
}

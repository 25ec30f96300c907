import { open } from "node:fs/promises";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { Copyable, CopyOptions, Savable, SaveRequest } from "../abilities/copies.js";
import type { SnapshotTag, Snapshottable } from "../abilities/snapshots.js";
import type { DiskQuota } from "../disk-quota.js";
import type { DriverInstance } from "../driver-instance.js";
import type { EngineClient } from "./engine-client.js";
import type { EngineContainers } from "./engine-containers.js";
import { asEngineFailure } from "./engine-error.js";
import { EngineStates } from "./engine-states.js";

/** What copies of an engine's containers need. */
export interface EngineCopiesOptions {
  readonly client: EngineClient;
  readonly containers: EngineContainers;
  /** What instances may have of the host's disk; undefined: nobody asks. */
  readonly quota: DiskQuota | undefined;
}

type EngineCopyAbilities = { readonly snapshot: Snapshottable; readonly copy: Copyable; readonly save: Savable };

/** An engine that begins to give an image away has first to read all of it. */
const firstByteMs = 600_000;

/** What containers of an engine can be asked for that copies what they have written: the engine makes an image of that. */
export function engineCopyAbilities(options: EngineCopiesOptions): EngineCopyAbilities {
  const states = new EngineStates(options);
  const product = options.client.product;
  const attempt = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asEngineFailure(error, { product, doing });
    }
  };
  const snapshot: Snapshottable = {
    withMemory: false,
    checkSnapshot: (instance, _handle, wanted) =>
      attempt("look at the container", () => checkSnapshot(states, instance, wanted)),
    takeSnapshot: (instance, _handle, wanted, how) =>
      attempt("keep a snapshot", async () => {
        await checkSnapshot(states, instance, wanted);
        how.progress("copying what it has written", 20);
        const { addedBytes } = await states.keep(instance, snapshotName(instance, wanted), how);
        return { sizeBytes: addedBytes, consistent: true, extra: {} };
      }),
    revertTo: (instance, handle, wanted) =>
      attempt("go back to the snapshot", async () => {
        if (handle !== undefined) throw new Error("a container is taken back while it does not run");
        const image = await states.find(snapshotName(instance, wanted), uninterrupted);
        if (image === undefined) throw lost(instance);
        await states.rebase(instance, image);
      }),
    deleteSnapshot: (instance, _handle, wanted, { signal }) =>
      attempt("delete the snapshot", () => states.forget(snapshotName(instance, wanted), signal)),
  };
  const copy: Copyable = {
    copyInto: (instance, _handle, target, how) =>
      attempt("copy the container", async () => {
        // What it has written is thrown away at its next start, as is what the copy would have.
        if (!isPersistent(instance)) return { consistent: true };
        await states.assertRoom(instance, how.signal);
        how.progress("copying what it has written", 20);
        const name = `zorhub.local/copy:${target.uid}`;
        try {
          const { id } = await states.keep(instance, name, how);
          await states.rebase(target, id);
        } finally {
          await states.forget(name, uninterrupted);
        }
        return { consistent: true };
      }),
  };
  return { snapshot, copy, save: saving(options, states, attempt) };
}

function saving(
  { client, quota }: EngineCopiesOptions,
  states: EngineStates,
  attempt: <T>(doing: string, work: () => Promise<T>) => Promise<T>,
): Savable {
  const check = async (instance: DriverInstance, wanted: SaveRequest, signal: AbortSignal): Promise<void> => {
    if (wanted.disk !== 0)
      throw invalidArgument("disk", `${wanted.disk} is none: a container has one root filesystem, 0`);
    if (wanted.overlay) throw invalidArgument("overlay", "a container is saved with all its layers; leave overlay out");
    await states.assertRoom(instance, signal);
    const bytes = await states.sizeOf(instance, signal);
    const why = (spare: number) => `its image may take ${bytes} bytes, and the host's disk has ${spare} to give`;
    await quota?.assertSpare(instance.name, bytes, why);
  };
  return {
    checkSave: (instance, _handle, wanted) =>
      attempt("look at the container", () => check(instance, wanted, uninterrupted)),
    saveImage: (instance, _handle, { path, ...wanted }, how) =>
      attempt("save the container", async () => {
        await check(instance, wanted, how.signal);
        how.progress("making an image of it", 5);
        const name = `zorhub.local/save:${instance.uid}`;
        try {
          const { id, bytes } = await states.keep(instance, name, how);
          // By its id: the archive has no name that another image could have where it is loaded.
          const request = { method: "GET", path: `/images/${encodeURIComponent(id)}/get`, signal: how.signal } as const;
          const archive = await client.stream({ ...request, deadlineMs: firstByteMs });
          await using file = await open(path, "wx", 0o644);
          for await (const chunk of paced(archive, bytes, how)) await file.writeFile(chunk);
          await file.sync();
        } finally {
          await states.forget(name, uninterrupted);
        }
        return { consistent: true };
      }),
  };
}

/** Gives bytes on at the pace that is allowed, and tells how many. */
async function* paced(
  source: AsyncIterable<Buffer>,
  expected: number,
  { bytesPerSecond, progress, signal }: CopyOptions,
): AsyncGenerator<Buffer> {
  const startMs = performance.now();
  let [done, told] = [0, -1];
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk;
    done += chunk.length;
    const percent = Math.min(99, 10 + Math.floor((89 * done) / Math.max(1, expected)));
    if (percent > told) progress("writing the archive", percent);
    told = Math.max(told, percent);
    const dueMs = bytesPerSecond === 0 ? 0 : (done / bytesPerSecond) * 1000 - (performance.now() - startMs);
    if (dueMs > 0) await pause(dueMs, signal);
  }
}

async function checkSnapshot(states: EngineStates, instance: DriverInstance, { memory }: SnapshotTag): Promise<void> {
  const { name } = instance;
  if (!isPersistent(instance)) {
    const why = "forgets what it writes at each start, so there is nothing to go back to; create it as persistent";
    throw failedPrecondition("NOT_PERSISTENT", name, `${name} ${why}`);
  }
  if (memory) {
    const why = "is a container, whose memory cannot be kept; take the snapshot without memory";
    throw failedPrecondition("UNSUPPORTED", name, `${name} ${why}`);
  }
  await states.assertRoom(instance, uninterrupted);
}

/** What it writes is kept over a stop. */
function isPersistent({ spec: { driver } }: DriverInstance): boolean {
  return (driver?.$case === "docker" || driver?.$case === "podman") && driver.value.persistent;
}

function snapshotName({ uid }: DriverInstance, { tag }: SnapshotTag): string {
  return `zorhub.local/snapshot:${uid}-${tag}`;
}

function lost({ name }: DriverInstance): Error {
  const why = "what was kept of it is not in the engine any more; delete the snapshot";
  return failedPrecondition("SNAPSHOT_LOST", name, `${name} could not be taken back: ${why}`);
}

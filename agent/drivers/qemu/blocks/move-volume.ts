import { failedPrecondition } from "../../../../lib/errors.js";
import type { VolumeContent } from "../../abilities/volumes.js";
import { asObject, numberOf, textOf } from "../json.js";
import { assertReachesServers, findBlockDevice, type LiveMachine, removeNode } from "../live/live-machine.js";
import { newName, slowCommandMs } from "./block-engine.js";
import { endJobs, type FollowOptions, followJobs } from "./block-jobs.js";
import { addVolume } from "./volume-node.js";

/** What a running machine has as a disk. */
export interface RunningDisk {
  /** Name of its node. */
  readonly node: string;
  readonly sizeBytes: bigint;
}

/** A volume of a running machine that moves. */
export interface MovingDisk {
  /** Id of its device. */
  readonly id: string;
  /** Not smaller than the disk. */
  readonly target: VolumeContent;
  readonly discard: boolean;
  /** What else its new node has. */
  readonly more: Readonly<Record<string, unknown>>;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  /** See UsesVolumes.moveVolume. */
  readonly commit: (node: string) => Promise<void>;
}

/** What a running machine has as a disk; undefined: it has none such. */
export async function findRunningDisk(machine: LiveMachine, id: string): Promise<RunningDisk | undefined> {
  const inserted = asObject((await findBlockDevice(machine, id))?.facts["inserted"]);
  const node = textOf(inserted, "node-name");
  if (node === "") return undefined;
  return { node, sizeBytes: BigInt(numberOf(asObject(inserted?.["image"]), "virtual-size") ?? 0) };
}

/**
 * Copies a disk while its guest writes to it, and then has the machine go on with the copy (QMP blockdev-mirror). The guest waits only for
 * the instant in which both are alike. On error or abort the machine goes on with what it had, and nothing of the copy is open.
 * @throws {ZorError}
 */
export async function mirrorDisk(
  machine: LiveMachine,
  { id, target, discard, more, bytesPerSecond, commit }: MovingDisk,
  options: FollowOptions,
): Promise<void> {
  const { resource, signal } = options;
  const before = await findRunningDisk(machine, id);
  if (before === undefined) {
    const why = `the running machine does not have ${id} any more`;
    throw failedPrecondition("NO_DEVICE", resource, `${resource}: ${why}; stop it first`);
  }
  if (target.kind === "remote") await assertReachesServers(machine, { resource, signal });
  const nodeName = newName(id);
  const added = await addVolume(machine, target, { resource, nodeName, discard, more });
  const job = newName("job");
  try {
    await machine.execute(
      "blockdev-mirror",
      {
        ...{ "job-id": job, device: before.node, target: nodeName, sync: "full" },
        ...{ "auto-dismiss": false, "auto-finalize": false },
        ...(bytesPerSecond === 0 ? {} : { speed: bytesPerSecond }),
      },
      slowCommandMs,
    );
    await followJobs(machine, [job], { ...options, until: "ready" });
    await machine.execute("job-complete", { id: job }, slowCommandMs);
    // Until it is finalized nothing is written to either.
    await followJobs(machine, [job], { ...options, until: "pending" });
    await commit(nodeName);
    await machine.execute("job-finalize", { id: job }, slowCommandMs);
    await followJobs(machine, [job], { resource, signal: new AbortController().signal });
  } catch (error) {
    await endJobs(machine, [job]).catch(() => undefined);
    if ((await findRunningDisk(machine, id).catch(() => undefined))?.node !== nodeName) {
      await added.remove().catch(() => undefined);
    }
    throw error;
  }
  await removeNode(machine, before.node);
}

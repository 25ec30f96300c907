import { failedPrecondition } from "../../../lib/errors.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { BackedUpVolume } from "../../drivers/abilities/backups.js";
import type { AgentContext } from "../../parts.js";

const bytesPerMib = 1024n * 1024n;

/**
 * Looks that an instance still has the volumes of a backup, so that what they held can be put back into them.
 * @throws {ZorError} FAILED_PRECONDITION that names the volume and what is in the way.
 */
export function assertHasVolumes(
  { references, holders }: Pick<AgentContext, "references" | "holders">,
  { name }: Pick<Instance, "name">,
  volumes: readonly BackedUpVolume[],
): void {
  for (const { volume: id, uid, sizeBytes } of volumes) {
    const volume = references.nameOf("volume", id);
    const refuse = (reason: string, why: string, remedy: string): Error =>
      failedPrecondition(reason, volume, `${name} holds ${volume} in the backup, which ${why}; ${remedy}`);
    const found = references.find("volume", id);
    const another = "restore it as another instance, with --as, which has disks of its own for volumes";
    if (found === undefined) throw refuse("VOLUME_GONE", "is gone", another);
    if (found.uid !== uid) throw refuse("VOLUME_GONE", "is gone; what has its name now is another one", another);
    const held = holders.of(id);
    const other = held.find(({ instance }) => instance !== name);
    if (other !== undefined) {
      throw refuse("VOLUME_ELSEWHERE", `is ${other.part} of ${other.instance} now`, `detach it there, or ${another}`);
    }
    if (!held.some(({ readOnly }) => !readOnly)) {
      const why = held.length === 0 ? "is no disk of it any more" : "it only reads now";
      throw refuse("VOLUME_ELSEWHERE", why, `attach it again, with: zor volume attach, or ${another}`);
    }
    const hasBytes = (found.spec?.sizeMib ?? 0n) * bytesPerMib;
    // Storage that rounds up has made a volume larger than it is said to be.
    if (BigInt(sizeBytes) - hasBytes < bytesPerMib) continue;
    throw refuse("VOLUME_SMALLER", `has ${hasBytes} bytes, less than the ${sizeBytes} there`, another);
  }
}

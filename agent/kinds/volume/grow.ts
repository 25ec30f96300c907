import { failedPrecondition } from "../../../lib/errors.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import type { ClaimedInstance } from "../../drivers/instance-access.js";
import type { AgentContext } from "../../parts.js";
import type { StorageVolume } from "../../storage/pool-backend.js";
import type { UsablePool } from "../../storage/pools.js";

/** What grows. */
interface Growing {
  readonly id: string;
  readonly volume: StorageVolume;
  readonly usable: UsablePool;
}

/**
 * Makes a volume larger: where a machine runs on it, the machine does it and its guest sees it; else its storage does. Nobody starts or
 * stops what has it meanwhile.
 * @throws {ZorError} and then it is as it was, or somewhat larger below what anybody sees.
 */
export async function growVolume(
  { holders, instances }: Pick<AgentContext, "holders" | "instances">,
  { id, volume, usable: { pool, backend } }: Growing,
  sizeBytes: bigint,
): Promise<void> {
  const holdings = holders.of(id);
  const isOnlyRead = (name: string): boolean =>
    holdings.some(({ instance, readOnly }) => instance === name && readOnly);
  const names = [...new Set(holdings.map(({ instance }) => instance))];
  await withClaims(names, [], async (claimed) => {
    const running = claimed.map((each) => each.subject()).filter(({ handle }) => handle !== undefined);
    if (running.length === 0) return await backend.resize(pool, volume, sizeBytes);
    const reader = running.find(({ instance }) => isOnlyRead(instance.name));
    if (reader !== undefined) {
      const { name } = reader.instance;
      const remedy = `stop ${name} first, or detach it there`;
      throw failedPrecondition(
        "VOLUME_READ_ONLY",
        volume.name,
        `${volume.name} is only read by ${name}, which runs; ${remedy}`,
      );
    }
    await backend.promise?.(pool, volume, sizeBytes);
    await backend.resizeBelow?.(pool, volume, sizeBytes);
    for (const { instance, driver } of running) {
      for (const { part } of holdings.filter((held) => held.instance === instance.name)) {
        await driver.can.volumes?.growVolume(instance, { part, sizeBytes }, { signal: uninterrupted });
      }
    }
  });

  async function withClaims(
    left: readonly string[],
    claimed: readonly ClaimedInstance[],
    work: (claimed: readonly ClaimedInstance[]) => Promise<void>,
  ): Promise<void> {
    const [first, ...rest] = left;
    if (first === undefined) return await work(claimed);
    const claim = { what: "given more room on a disk", operation: `the growth of ${volume.name}` };
    const instance = first.slice(first.lastIndexOf("/") + 1);
    await instances.get().claim(instance, claim, (one) => withClaims(rest, [...claimed, one], work));
  }
}

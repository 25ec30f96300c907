import type { Share } from "../../../../proto/gen/zor/v1/qemu.js";
import { openHeld } from "../../../host/open-exactly.js";
import { fdPath, type InheritedFd } from "../inherited-files.js";
import { pciSlots, toPci } from "../placement.js";
import { toPciDevice } from "./device.js";
import type { HardwarePart, Launch } from "./part.js";
import { assertAccess, assertAllowed, checkShares, holdShare, sharesOf } from "./share-policy.js";

/** A directory that is open. */
interface SharePlan {
  /** Its place among all shares. */
  readonly index: number;
  readonly tag: string;
  readonly fd: InheritedFd;
  readonly readOnly: boolean;
}

/** Directories of the host that the guest mounts by their tags (9p), each only where the host's own settings allow it. */
export const shares: HardwarePart<readonly SharePlan[]> = {
  check: checkShares,
  admit: async ({ options }, { policy }) => {
    for (const [index, share] of options.shares.entries()) {
      assertAllowed(share, index, policy.shares);
      using _held = holdShare(share, `instance.spec.qemu.shares[${index}].path`);
    }
  },
  open: async (launch) => {
    const plans: SharePlan[] = [];
    for (const { share, index } of sharesOf(launch.options, "9p")) plans.push(await openShare(share, index, launch));
    return plans.length === 0 ? undefined : plans;
  },
  toArguments: (plans) => ({
    argv: plans.flatMap(({ index, tag, fd, readOnly }) => {
      // Owner, mode and devices of a guest's files are notes in attributes: on the host they are plain files of QEMU's user.
      const words = [`local,id=share${index}`, `path=${fdPath(fd)}`, "security_model=mapped-xattr", "multidevs=remap"];
      const device = toPciDevice(
        "virtio-9p-pci",
        `id=share${index},fsdev=share${index},mount_tag=${tag}`,
        toPci(pciSlots.shares, index),
      );
      return ["-fsdev", [...words, ...(readOnly ? ["readonly=on"] : [])].join(","), "-device", device];
    }),
  }),
};

async function openShare(share: Share, index: number, launch: Launch): Promise<SharePlan> {
  // The setting may have been narrowed since the machine was made.
  assertAllowed(share, index, launch.policy.shares);
  using held = holdShare(share, launch.resource);
  await assertAccess(share, held, launch);
  const file = launch.inherited.keep(await openHeld(held));
  return { index, tag: share.tag, fd: launch.inherited.share(file), readOnly: share.readOnly };
}

import { failedPrecondition, type FieldViolation, messageOf, permissionDenied } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { Share } from "../../../../proto/gen/zor/v1/qemu.js";
import { run, ToolError } from "../../../host/exec.js";
import { type HeldPath, holdPath, openHeld } from "../../../host/open-exactly.js";
import { fdPath, type InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { pciSlots, toPci } from "../placement.js";
import { toUnprivileged } from "../privileges.js";
import { toPciDevice } from "./device.js";
import type { Asked, HardwarePart, Launch, SharedDirectory } from "./part.js";

/** A directory that is open. */
interface SharePlan {
  readonly tag: string;
  readonly fd: InheritedFd;
  readonly readOnly: boolean;
}

const maxShares = 8;
const maxPathLength = 4096;
/** virtio_9p.h leaves 32 bytes with the NUL. */
const tagPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/;

/** Directories of the host that the guest mounts by their tags (9p), each only where the host's own settings allow it. */
export const shares: HardwarePart<readonly SharePlan[]> = {
  check,
  admit: async ({ options }, { policy }) => {
    for (const [index, share] of options.shares.entries()) {
      assertAllowed(share, index, policy.shares);
      using _held = hold(share, `instance.spec.qemu.shares[${index}].path`);
    }
  },
  open: async (launch) => {
    const plans: SharePlan[] = [];
    for (const [index, share] of launch.options.shares.entries()) plans.push(await openShare(share, index, launch));
    return plans.length === 0 ? undefined : plans;
  },
  toArguments: (plans) => ({
    argv: plans.flatMap(({ tag, fd, readOnly }, index) => {
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

function check({ options: { shares: asked, machine, architecture } }: Asked): FieldViolation[] {
  if (asked.length === 0) return [];
  if (machine === "microvm" || architecture === "aarch64") {
    return [violation("qemu.shares", 'need a machine of type "q35" or "pc"')];
  }
  if (asked.length > maxShares) return [violation("qemu.shares", `${asked.length} are more than ${maxShares}`)];
  const tags = asked.map(({ tag }) => tag);
  return asked.flatMap(({ path, tag }, index): FieldViolation[] => {
    const field = `qemu.shares[${index}]`;
    if (!isPlainPath(path)) {
      return [violation(`${field}.path`, `${quote(path)} is not an absolute path without "." and "..": "/srv/lab"`)];
    }
    if (!tagPattern.test(tag)) {
      return [violation(`${field}.tag`, `${quote(tag)} is not 1 to 31 letters, digits, ".", "-" and "_"`)];
    }
    return tags.indexOf(tag) === index ? [] : [violation(`${field}.tag`, `${tag} is the tag of another share`)];
  });
}

function isPlainPath(path: string): boolean {
  return path.length <= maxPathLength && !path.includes("\0") && /^\/(?!.*(\/\.\.?(\/|$)|\/\/))./.test(path);
}

function assertAllowed({ path, readOnly }: Share, index: number, allowed: readonly SharedDirectory[]): void {
  const around = allowed.filter((each) => path === each.path || path.startsWith(`${each.path.replace(/\/$/, "")}/`));
  const field = `instance.spec.qemu.shares[${index}]`;
  if (around.length === 0) {
    throw permissionDenied(
      `${field}.path: ${quote(path)} may not be given to machines; allow it, or a directory that it is in, with machineShares in the agent's settings`,
    );
  }
  if (readOnly || around.some((each) => !each.readOnly)) return;
  throw permissionDenied(
    `${field}.read_only: machines may only read ${quote(path)}; set it, or allow writing with machineShares in the agent's settings`,
  );
}

/** No part of the path may be a link: what is shared is what is allowed. @throws {ZorError} FAILED_PRECONDITION */
function hold({ path }: Share, resource: string): HeldPath {
  try {
    // With the slash it must be a directory.
    return holdPath(`${path.replace(/\/$/, "")}/`);
  } catch (error) {
    throw failedPrecondition(
      "SHARE_UNAVAILABLE",
      resource,
      `${resource}: the host's directory ${quote(path)} cannot be shared: ${messageOf(error)}; it must be there, and no part of its path may be a link`,
    );
  }
}

async function openShare(share: Share, index: number, launch: Launch): Promise<SharePlan> {
  const { policy, resource, user, inherited, signal } = launch;
  // The setting may have been narrowed since the machine was made.
  assertAllowed(share, index, policy.shares);
  using held = hold(share, resource);
  const tests = ["-r", ".", "-a", "-x", ".", ...(share.readOnly ? [] : ["-a", "-w", "."])];
  const { tool, argv } = toUnprivileged({ tool: "test", argv: tests }, user, []);
  try {
    await run(tool, argv, { cwd: held.path, signal });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const rights = share.readOnly ? "rX" : "rwX";
    throw failedPrecondition(
      "SHARE_UNAVAILABLE",
      resource,
      `${resource}: its user ${user} may not ${share.readOnly ? "read" : "read and write"} the host's directory ${quote(share.path)}; ` +
        `allow it there with: setfacl -R -m u:${user}:${rights} -m d:u:${user}:${rights} ${share.path}`,
    );
  }
  const file = inherited.keep(await openHeld(held));
  return { tag: share.tag, fd: inherited.share(file), readOnly: share.readOnly };
}

import { existsSync } from "node:fs";
import { lchown } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { close } from "../../../../lib/libc.js";
import { listenUnix } from "../../../../lib/net/unix-listener.js";
import type { Share } from "../../../../proto/gen/zor/v1/qemu.js";
import { ToolError } from "../../../host/exec.js";
import { cloneTree } from "../../../host/mount-tree.js";
import { Companion } from "../companion.js";
import { firstInheritedFd } from "../inherited-files.js";
import { pciSlots, toPci } from "../placement.js";
import { type Command, toUnprivileged } from "../privileges.js";
import { runDirectoryOf } from "../run-directory.js";
import { toPciDevice } from "./device.js";
import type { HardwarePart, Launch } from "./part.js";
import { assertAccess, assertAllowed, holdShare, maxShares, sharesOf } from "./share-policy.js";
import { toldOf } from "../../../host/told.js";

/** A directory that a program serves. */
interface VirtiofsPlan {
  /** Its place among all shares. */
  readonly index: number;
  readonly tag: string;
}

/** Where Debian has the program: from 13 on in a package of its own, before with QEMU. */
const programs = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"] as const;
const queueSize = 1024;

/**
 * Directories of the host that the guest mounts by their tags (virtiofs). Each has a program that serves it (virtiofsd), as the machine's own
 * user, which in a namespace of its own calls itself root and reaches nothing but this directory. It ends with the machine.
 */
export const virtiofs: HardwarePart<readonly VirtiofsPlan[]> = {
  admit: async ({ options }) => {
    const [first] = sharesOf(options, "virtiofs");
    if (first !== undefined) findProgram(`instance.spec.qemu.shares[${first.index}].type`);
  },
  open: async (launch) => {
    const plans: VirtiofsPlan[] = [];
    for (const { share, index } of sharesOf(launch.options, "virtiofs")) plans.push(await serve(share, index, launch));
    return plans.length === 0 ? undefined : plans;
  },
  toArguments: (plans) => ({
    argv: plans.flatMap(({ index, tag }) => {
      const words = `id=share${index},chardev=share${index},queue-size=${queueSize},tag=${tag}`;
      return [
        ...["-chardev", `socket,id=share${index},path=${socketOf(index)}`],
        ...["-device", toPciDevice("vhost-user-fs-pci", words, toPci(pciSlots.shares, index))],
      ];
    }),
  }),
  findProblem: async ({ options }, directory) => {
    for (const { share, index } of sharesOf(options, "virtiofs")) {
      const program = programOf(directory, index);
      await program.boundLog();
      if (await program.isAlive()) continue;
      return `the program of its shared directory ${share.tag} (virtiofsd) has ended: the guest cannot use it; stop and start the machine`;
    }
    return undefined;
  },
  end: async (directory) => {
    for (let index = 0; index < maxShares; index += 1) await programOf(directory, index).end();
  },
  remove: async (directory) => {
    for (let index = 0; index < maxShares; index += 1) await programOf(directory, index).remove();
  },
};

/** In QEMU's working directory. */
function socketOf(index: number): string {
  return `share${index}`;
}

function programOf(directory: string, index: number): Companion {
  return new Companion(directory, `virtiofs${index}`);
}

/** @throws {ZorError} FAILED_PRECONDITION with the package that it is in. */
function findProgram(resource: string): string {
  const found = programs.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw failedPrecondition(
    "VIRTIOFS_UNAVAILABLE",
    resource,
    `${resource}: the host has no virtiofsd; install it there with: apt-get install virtiofsd (Debian 12: qemu-system-common), or use type "9p"`,
  );
}

/** Arguments of the program that serves what it finds as its second inherited descriptor; pure. */
export function toVirtiofsd(program: string): Command {
  const [socket, directory] = [firstInheritedFd, `/proc/self/fd/${firstInheritedFd + 1}/.`];
  return program === programs[0]
    ? { tool: program, argv: [`--fd=${socket}`, `--shared-dir=${directory}`, "--sandbox=chroot", "--xattr"] }
    : { tool: program, argv: ["-f", `--fd=${socket}`, "-o", `source=${directory},sandbox=chroot,xattr`] };
}

/** As root of a user namespace in which there is nobody else, without a network; pure. */
function inNamespaces({ tool, argv }: Command): Command {
  return { tool: "unshare", argv: ["--user", "--map-root-user", "--mount", "--net", "--ipc", "--", tool, ...argv] };
}

async function serve(share: Share, index: number, launch: Launch): Promise<VirtiofsPlan> {
  const { instance, network, policy, resource, user } = launch;
  // The setting may have been narrowed since the machine was made.
  assertAllowed(share, index, policy.shares);
  const program = findProgram(resource);
  using held = holdShare(share, resource);
  await assertAccess(share, held, launch, inNamespaces).catch((error: unknown) => {
    throw error instanceof ToolError ? unavailable(resource, share, toldOf(error)) : error;
  });
  const run = runDirectoryOf(instance);
  const companion = programOf(instance.directory, index);
  await using open = new AsyncDisposableStack();
  const tree = cloneTree(held.path, { isReadOnly: share.readOnly });
  open.defer(() => void close(tree));
  const listener = await listenUnix(run, socketOf(index));
  open.defer(() => void close(listener));
  // QEMU connects as its user.
  await lchown(join(run, socketOf(index)), user, user);
  const command = toUnprivileged(inNamespaces(toVirtiofsd(program)), user, []);
  if (!(await companion.start(command, { netns: network.netns, cwd: "/", fds: [listener, tree] })))
    throw unavailable(resource, share, await companion.lastWords());
  return { index, tag: share.tag };
}

function unavailable(resource: string, { tag }: Share, why: string): Error {
  return failedPrecondition(
    "VIRTIOFS_UNAVAILABLE",
    resource,
    `${resource}: the program of its shared directory ${tag} (virtiofsd) cannot run here: ${why}; use type "9p"`,
  );
}

import { checked, close, libc } from "../../lib/libc.js";

const syscall = libc.func(
  "long syscall(long number, long first, const char *path, long third, const uint8_t *fourth, long fifth)",
) as unknown as (number: number, first: number, path: string, third: number, fourth: Buffer, fifth: number) => number;

// The numbers of these calls are the same on every architecture.
const [SYS_open_tree, SYS_mount_setattr] = [428, 442];
const AT_FDCWD = -100;
const [OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH, O_CLOEXEC] = [1, 0x8000, 0x1000, 0o2000000];
const [MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV] = [1n, 2n, 4n];
/** struct mount_attr, of which the first word is what is set. */
const attributesBytes = 32;

/**
 * A directory with all that is mounted in it, as a mount of its own that has no name: set-user-id programs and devices in it are ordinary files,
 * and it may be read-only whatever the host's own is. It is gone with the descriptor, which the caller closes.
 * @throws {SystemCallError} where the kernel is older than Linux 5.12, or the caller not root.
 */
export function cloneTree(path: string, { isReadOnly }: { readonly isReadOnly: boolean }): number {
  const none = Buffer.alloc(attributesBytes);
  const tree = checked(
    "open_tree",
    syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC, none, 0),
  );
  try {
    const attributes = Buffer.alloc(attributesBytes);
    attributes.writeBigUInt64LE(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (isReadOnly ? MOUNT_ATTR_RDONLY : 0n), 0);
    const flags = AT_EMPTY_PATH | AT_RECURSIVE;
    checked("mount_setattr", syscall(SYS_mount_setattr, tree, "", flags, attributes, attributesBytes));
    return tree;
  } catch (error) {
    close(tree);
    throw error;
  }
}

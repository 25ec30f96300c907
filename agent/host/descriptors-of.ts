import { closeSync } from "node:fs";
import { readdir, readlink } from "node:fs/promises";
import { libc } from "../../lib/libc.js";

// koffi types every function as (...args: any[]) => any; the C prototype is what makes the cast true.
const syscall = libc.func("long syscall(long number, long first, long second, long third)") as unknown as (
  ...numbers: [number, number, number, number]
) => number;

// The same numbers on all architectures that Node runs on.
const [SYS_pidfd_open, SYS_pidfd_getfd] = [434, 438];

/**
 * Uses the open files of another process that are wanted, each by a descriptor of our own that is closed afterwards; what is done to it is
 * done to the file that both have open. A process that has ended, or is not ours to look into, has none.
 * @param isWanted told what /proc says that a descriptor is: "socket:[4711]", "/dev/pts/ptmx".
 */
export async function withDescriptorsOf(
  pid: number,
  isWanted: (target: string) => boolean,
  use: (fd: number) => void,
): Promise<void> {
  const pidfd = syscall(SYS_pidfd_open, pid, 0, 0);
  if (pidfd < 0) return;
  try {
    for (const name of await readdir(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => "");
      if (!isWanted(target)) continue;
      const fd = syscall(SYS_pidfd_getfd, pidfd, Number(name), 0);
      if (fd < 0) continue;
      try {
        use(fd);
      } finally {
        closeSync(fd);
      }
    }
  } finally {
    closeSync(pidfd);
  }
}

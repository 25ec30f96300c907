import { readdir, readlink } from "node:fs/promises";
import { checked, close, libc } from "../../lib/libc.js";

// koffi types every function as (...args: any[]) => any; the declared C prototype makes this cast true.
const syscall = libc.func("long syscall(long number, long first, long second, long third)") as unknown as (
  ...numbers: [number, number, number, number]
) => number;

// The same numbers on all architectures that Node runs on.
const [SYS_pidfd_open, SYS_pidfd_getfd] = [434, 438];

/** Files of another process that this one keeps open too. */
export interface HeldFiles extends Disposable {
  readonly count: number;
}

/**
 * Keeps the files open that a process has open under a path, also after it has ended: what the kernel does with a killed process that
 * takes long to be torn down. Disposing of them closes them.
 */
export async function holdFiles(pid: number, path: string): Promise<HeldFiles> {
  const pidfd = checked("pidfd_open", syscall(SYS_pidfd_open, pid, 0, 0));
  const held: number[] = [];
  try {
    for (const name of await readdir(`/proc/${pid}/fd`)) {
      if ((await readlink(`/proc/${pid}/fd/${name}`).catch(() => "")) !== path) continue;
      held.push(checked("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, Number(name), 0)));
    }
  } finally {
    close(pidfd);
  }
  return {
    count: held.length,
    [Symbol.dispose]: () => {
      for (const fd of held.splice(0)) close(fd);
    },
  };
}

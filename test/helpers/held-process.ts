import { checked, libc } from "../../lib/libc.js";

const [detach, seize, interrupt] = [17, 0x4206, 0x4207];

const ptrace = libc.func("long ptrace(int request, int pid, void *address, void *data)") as unknown as (
  request: number,
  pid: number,
  address: null,
  data: null,
) => number;

const call = (request: number, pid: number): number => checked("ptrace", ptrace(request, pid, null, null));

/**
 * Holds the first thread of a process as a debugger does, ptrace(2): it is stuck for whoever asks it something, and no signal but SIGKILL
 * has it go on. Returns the way to let it go; it goes also when this process ends. To be let go by the thread that holds it.
 */
export function holdProcess(pid: number): () => void {
  call(seize, pid);
  call(interrupt, pid);
  return () => void call(detach, pid);
}

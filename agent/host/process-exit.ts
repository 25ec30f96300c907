import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { close, libc } from "../../lib/libc.js";
import type { ProcessIdentity } from "../../lib/process.js";

/** How a process ended. */
export type ProcessExit =
  | { readonly type: "code"; readonly code: number }
  | { readonly type: "signal"; readonly signal: number };

/** Holds on to a process that need not be a child, to learn how it ended. */
export interface ExitWatch extends Disposable {
  /** How it ended; undefined while it runs, and where the kernel does not tell. */
  find(): Promise<ProcessExit | undefined>;
  /** Lets go of it. Idempotent. */
  close(): void;
}

/** Numbers of pidfd_open(2), the same on every architecture; of ioctl PIDFD_GET_INFO and its PIDFD_INFO_EXIT, Linux 6.15 (linux/pidfd.h). */
const [pidfdOpen, pidfdGetInfo, pidfdInfoExit] = [434, 0xc040ff0b, 8n];
const infoBytes = 64;
const exitCodeOffset = 60;

const syscall = libc.func("long syscall(long number, long first, long second)") as unknown as (
  number: number,
  first: number,
  second: number,
) => number;
const ioctl = libc.func("int ioctl(int fd, ulong request, _Inout_ uint8_t *argument)") as unknown as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;

/**
 * Watches a process. Only its parent is told how a process ends, unless the kernel keeps that for who holds a descriptor of it (Linux 6.15);
 * on older ones the answer is undefined once the parent has taken it.
 */
export function watchExit(identity: ProcessIdentity): ExitWatch {
  let fd = syscall(pidfdOpen, identity.pid, 0);
  const letGo = (): void => {
    if (fd >= 0) close(fd);
    fd = -1;
  };
  return {
    find: async () => (await readZombie(identity)) ?? (fd < 0 ? undefined : readInfo(fd)),
    close: letGo,
    [Symbol.dispose]: letGo,
  };
}

/** Reads the status that wait(2) gives; pure. */
export function toProcessExit(waitStatus: number): ProcessExit {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? { type: "code", code: (waitStatus >> 8) & 0xff } : { type: "signal", signal };
}

/** "signal 9 (SIGKILL)". */
export function signalText(signal: number): string {
  const name = Object.entries(constants.signals).find(([, value]) => value === signal)?.[0];
  return name === undefined ? `signal ${signal}` : `signal ${signal} (${name})`;
}

/** From one that has ended and whose parent has not asked yet: the last field of its line in /proc. */
async function readZombie(identity: ProcessIdentity): Promise<ProcessExit | undefined> {
  const text = await readFile(`/proc/${identity.pid}/stat`, "utf8").catch(() => "");
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
  if (fields[0] !== "Z" || fields[19] !== identity.startTicks) return undefined;
  const waitStatus = Number(fields.at(-1));
  return Number.isSafeInteger(waitStatus) ? toProcessExit(waitStatus) : undefined;
}

function readInfo(fd: number): ProcessExit | undefined {
  const info = Buffer.alloc(infoBytes);
  info.writeBigUInt64LE(pidfdInfoExit, 0);
  if (ioctl(fd, pidfdGetInfo, info) !== 0) return undefined;
  if ((info.readBigUInt64LE(0) & pidfdInfoExit) === 0n) return undefined;
  return toProcessExit(info.readInt32LE(exitCodeOffset));
}

/** How much a confined program may take. */
export interface Confinement {
  /** Whoever it runs as; see agent/drivers/qemu/privileges.ts. */
  readonly user: number;
  /** Groups beside that; default: none. */
  readonly groups?: readonly number[];
  /** Largest file it may write, in bytes. */
  readonly maxFileBytes: number;
  readonly memoryBytes: number;
  /** Seconds of processor time. */
  readonly processorSeconds: number;
}

const maxProcesses = 64;

/**
 * The command line of a program as an unprivileged user without any capability, in a net namespace of its own, with bounds on memory,
 * time and what it writes; pure.
 */
export function confinedCommand(
  command: readonly [string, ...string[]],
  { user, groups = [], maxFileBytes, memoryBytes, processorSeconds }: Confinement,
): readonly [string, ...string[]] {
  const supplementary = groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")];
  const drop = [...supplementary, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"];
  const bounds = [
    ...["--core=0", `--nproc=${maxProcesses}`, `--as=${memoryBytes}`, `--cpu=${processorSeconds}`],
    `--fsize=${Math.max(1, Math.floor(maxFileBytes))}`,
  ];
  const unprivileged = ["setpriv", "--reuid", `${user}`, "--regid", `${user}`, ...drop, "--"];
  return ["unshare", "--net", "--", ...unprivileged, "prlimit", ...bounds, "--", ...command];
}

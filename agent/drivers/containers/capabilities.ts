import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerCapabilities } from "../../../proto/gen/zor/v1/crun.js";

/** Capabilities of Linux 6 by number (capabilities(7)), without "CAP_". */
const allCapabilities = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"],
  ...["SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  ...["CHECKPOINT_RESTORE"],
] as const;

/** A capability's name in capitals, without "CAP_". */
export type ContainerCapability = (typeof allCapabilities)[number];

/**
 * What a container has unless its spec says otherwise, and may always have: Docker's set without MKNOD, and with NET_ADMIN,
 * since a lab's containers configure their own interfaces and routes, in a net namespace of their own.
 */
export const defaultCapabilities: readonly ContainerCapability[] = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "NET_ADMIN",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
];

/** Longest list of capabilities that is looked at. */
const maxWords = 64;
const everything = "ALL";

/** The capability that a text names, "CAP_SYS_ADMIN" or "sys_admin"; undefined: none. */
export function findCapability(text: string): ContainerCapability | undefined {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  return allCapabilities.find((known) => known === name);
}

/** The capabilities of a mask as /proc/PID/status shows them, one bit each. */
export function capabilitiesInMask(mask: bigint): readonly ContainerCapability[] {
  return allCapabilities.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

/** What a container with this spec has: the default set less those dropped, and those added. Names that are none are skipped. */
export function effectiveCapabilities(wanted: ContainerCapabilities | undefined): readonly ContainerCapability[] {
  const { add = [], drop = [] } = wanted ?? {};
  const dropped = new Set(drop.map(findCapability));
  const kept = drop.some(isEverything) ? [] : defaultCapabilities.filter((name) => !dropped.has(name));
  const added = add.map(findCapability).filter((name) => name !== undefined);
  return [...new Set([...kept, ...added])].sort();
}

/** Capabilities that a spec adds and that only an agent's policy can allow. */
export function beyondDefault(wanted: ContainerCapabilities | undefined): readonly ContainerCapability[] {
  return effectiveCapabilities(wanted).filter((name) => !defaultCapabilities.includes(name));
}

/** What is wrong with what a spec adds and drops, whatever the host's policy. */
export function checkCapabilities(field: string, wanted: ContainerCapabilities | undefined): readonly FieldViolation[] {
  const { add = [], drop = [] } = wanted ?? {};
  const violations = [...checkList(`${field}.add`, add, false), ...checkList(`${field}.drop`, drop, true)];
  const dropped = new Set(drop.map(findCapability));
  const both = add.findIndex((text) => findCapability(text) !== undefined && dropped.has(findCapability(text)));
  if (both === -1) return violations;
  return [
    ...violations,
    { field: `${field}.add[${both}]`, description: `${quote(add[both] ?? "")} is dropped as well` },
  ];
}

function checkList(field: string, texts: readonly string[], mayBeAll: boolean): readonly FieldViolation[] {
  if (texts.length > maxWords) return [{ field, description: `has more than ${maxWords} names` }];
  return texts.flatMap((text, index) => {
    if (findCapability(text) !== undefined || (mayBeAll && isEverything(text))) return [];
    const remedy = isEverything(text)
      ? "name each capability to add"
      : 'see capabilities(7); an example is "SYS_ADMIN"';
    return [{ field: `${field}[${index}]`, description: `${quote(text)} is not a capability; ${remedy}` }];
  });
}

function isEverything(text: string): boolean {
  return text.toUpperCase() === everything;
}

import { constants } from "node:os";
import type { ContainerCapability } from "../containers/capabilities.js";
import { allowedSystemCalls, refusedSystemCalls, systemCallsOf, systemCallsOfInit } from "./system-calls.js";

const { EPERM, EAFNOSUPPORT, ENOSYS } = constants.errno;

/** Namespaces that clone(2) can make: mount, cgroup, uts, ipc, user, pid and net (linux/sched.h). */
const namespaceFlags = [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
const allNamespaceFlags = namespaceFlags.reduce((sum, flag) => sum + flag, 0);

/**
 * Address families of socket(2) that are separated by net namespace and of use in a lab: unix, IPv4, IPv6, PF_KEY, netlink,
 * packet, PPPoE and the like, LLC, CAN, XDP. The others reach the host (vsock), the kernel's ciphers (AF_ALG), or make the
 * kernel load a module that nobody uses.
 */
const socketFamilies: readonly number[] = [1, 2, 10, 15, 16, 17, 24, 26, 29, 44];
/** AF_MAX of Linux 6 less one. */
const lastFamily = 45;

/** What personality(2) may set: Linux, Linux of 32 bit, each with or without UNAME26, and asking. */
const personalities = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/** One rule of the runtime specification's linux.seccomp. */
interface Rule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: 0;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

/**
 * The filter of system calls for a container with these capabilities. Only those of the machine's own kind of program are let
 * through: a 32-bit program is ended by SIGSYS, since its ways to make a socket or a namespace cannot be filtered as well.
 * @param walls "init": mounts and namespaces can be made inside, as systemd does for its services.
 */
export function buildSeccomp(capabilities: readonly ContainerCapability[], walls: "all" | "init" = "all"): object {
  const opened = new Set(capabilities.flatMap((name) => systemCallsOf[name] ?? []));
  const closed = new Set(Object.values(systemCallsOf).flat()).difference(opened);
  const rules: readonly Rule[] = [
    allow([...allowedSystemCalls, ...opened, ...(walls === "init" ? systemCallsOfInit : [])]),
    refuse(
      [...refusedSystemCalls.filter((name) => walls === "all" || !systemCallsOfInit.includes(name)), ...closed],
      EPERM,
    ),
    // Its flags are in memory, where a filter cannot look: C libraries then use clone.
    refuse(["clone3"], ENOSYS),
    ...(walls === "init" ? [allow(["clone"])] : cloneRules()),
    ...personalities.map((value) => allow(["personality"], [{ index: 0, value, op: "SCMP_CMP_EQ" }])),
    ...socketFamilies.map((value) => allow(["socket"], [{ index: 0, value, op: "SCMP_CMP_EQ" }])),
    ...otherFamilies().map((value) => refuse(["socket"], EAFNOSUPPORT, [{ index: 0, value, op: "SCMP_CMP_EQ" }])),
    refuse(["socket"], EAFNOSUPPORT, [{ index: 0, value: lastFamily, op: "SCMP_CMP_GT" }]),
  ];
  return { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: ENOSYS, syscalls: rules };
}

/** No namespaces. */
function cloneRules(): readonly Rule[] {
  return [
    allow(["clone"], [{ index: 0, value: allNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }]),
    ...namespaceFlags.map((flag) =>
      refuse(["clone"], EPERM, [{ index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" }]),
    ),
  ];
}

function otherFamilies(): readonly number[] {
  const all = Array.from({ length: lastFamily + 1 }, (_, family) => family);
  return all.filter((family) => !socketFamilies.includes(family));
}

function allow(names: readonly string[], args?: Rule["args"]): Rule {
  return { names, action: "SCMP_ACT_ALLOW", ...(args === undefined ? {} : { args }) };
}

function refuse(names: readonly string[], errnoRet: number, args?: Rule["args"]): Rule {
  return { names, action: "SCMP_ACT_ERRNO", errnoRet, ...(args === undefined ? {} : { args }) };
}

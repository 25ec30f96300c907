import { describe, expect, it } from "vitest";
import { defaultCapabilities } from "../../../../../agent/drivers/containers/capabilities.js";
import { buildSeccomp } from "../../../../../agent/drivers/crun/seccomp.js";
import {
  allowedSystemCalls,
  refusedSystemCalls,
  systemCallsOf,
} from "../../../../../agent/drivers/crun/system-calls.js";

/** The part of the runtime specification that is looked at. */
interface Filter {
  readonly defaultAction: string;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly args?: readonly { readonly value: number; readonly op: string }[];
  }[];
}

const build = (capabilities: Parameters<typeof buildSeccomp>[0]) => buildSeccomp(capabilities) as Filter; // as the specification says

/** Calls that go through whatever their arguments are. */
const allowedBy = (capabilities: Parameters<typeof buildSeccomp>[0]) =>
  build(capabilities).syscalls.flatMap(({ action, args, names }) =>
    action === "SCMP_ACT_ALLOW" && args === undefined ? names : [],
  );

describe("the filter of system calls", () => {
  it("refuses what it does not know, and names no call twice", () => {
    expect(build(defaultCapabilities).defaultAction).toBe("SCMP_ACT_ERRNO");
    const all = [...allowedSystemCalls, ...refusedSystemCalls, ...new Set(Object.values(systemCallsOf).flat())];
    const special = ["clone", "clone3", "personality", "socket"];
    expect([...all, ...special].filter((name, index, names) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each([
    ...["mount", "umount2", "pivot_root", "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr"],
    ...["unshare", "setns", "clone", "clone3", "keyctl", "io_uring_setup", "kexec_load", "swapon", "socket"],
  ])("never lets %s through as it is, whatever the capabilities", (name) => {
    const everything = Object.keys(systemCallsOf) as (keyof typeof systemCallsOf)[]; // its own keys
    expect(allowedBy([...defaultCapabilities, ...everything])).not.toContain(name);
  });

  it.each([
    ["SYS_TIME", "clock_settime"],
    ["SYS_PTRACE", "kcmp"],
    ["SYS_MODULE", "init_module"],
    ["BPF", "bpf"],
  ] as const)("opens with %s what it is for: %s", (capability, name) => {
    expect(allowedBy(defaultCapabilities)).not.toContain(name);
    expect(allowedBy([...defaultCapabilities, capability])).toContain(name);
  });

  it("lets processes and threads begin, but no namespace with them", () => {
    const rules = build(defaultCapabilities).syscalls.filter(({ names }) => names.includes("clone"));
    const flags = rules.filter(({ action }) => action === "SCMP_ACT_ERRNO").map(({ args }) => args?.[0]?.value ?? 0);
    const [allowed] = rules.filter(({ action }) => action === "SCMP_ACT_ALLOW");
    // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of linux/sched.h.
    expect(flags.reduce((sum, flag) => sum | flag, 0)).toBe(0x7e02_0000);
    expect(allowed?.args?.[0]).toMatchObject({ value: 0x7e02_0000, op: "SCMP_CMP_MASKED_EQ" });
  });
});

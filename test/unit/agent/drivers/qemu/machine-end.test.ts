import { describe, expect, it } from "vitest";
import { type EndFacts, saysWhoEndedIt, toMachineEnd } from "../../../../../agent/drivers/qemu/machine-end.js";

const unknown: EndFacts = { wanted: false, shutdownReason: undefined, exit: undefined, said: "", oomKill: undefined };
const killed = { type: "signal" as const, signal: 9 };
const terminatedBy = (sender: string) => `qemu-system-x86_64: terminating on signal 15${sender}`;

const grown = { text: "its control group g reached its limit of 64 MiB; it held 60 MiB", isHost: false, limitMib: 64 };
const full = { text: "the host ran out of its 8000 MiB of memory; it held 60 MiB", isHost: true, limitMib: 8000 };

describe("the end of a machine", () => {
  it.each<[string, Partial<EndFacts>, boolean, string]>([
    ["it was stopped", { wanted: true, exit: killed }, false, ""],
    ["its guest shut down", { shutdownReason: "guest-shutdown" }, false, "the guest shut down"],
    ["it was asked to and restarted", { shutdownReason: "guest-reset" }, false, "the guest shut down"],
    ["its guest panicked", { shutdownReason: "guest-panic" }, true, "the guest's kernel panicked"],
    ["somebody spoke QMP", { shutdownReason: "host-qmp-quit" }, false, "QEMU was told to quit over QMP"],
    ["QEMU failed", { shutdownReason: "host-error", said: "no room" }, true, "QEMU ended with an error: no room"],
    ["it was killed", { exit: killed }, true, "QEMU was killed by signal 9 (SIGKILL)"],
    [
      "it crashed",
      { exit: { type: "signal", signal: 6 }, said: "assertion failed" },
      true,
      "QEMU was killed by signal 6 (SIGABRT): assertion failed",
    ],
    [
      "it was killed for want of memory",
      { exit: killed, oomKill: grown },
      true,
      "the kernel killed QEMU for want of memory (signal 9 (SIGKILL)): its control group g reached its limit of 64 MiB; it held 60 MiB",
    ],
    ["it exited", { exit: { type: "code", code: 1 }, said: "bad disk" }, true, "QEMU ended with exit code 1: bad disk"],
    [
      "somebody ended it",
      {
        shutdownReason: "host-signal",
        exit: { type: "code", code: 0 },
        said: terminatedBy(" from pid 7 (/usr/bin/bash)"),
      },
      false,
      "QEMU was ended by signal 15 (SIGTERM) from process 7 (bash)",
    ],
    [
      "somebody ended it unseen",
      { said: terminatedBy(" from pid 7") },
      false,
      "QEMU was ended by signal 15 (SIGTERM) from process 7",
    ],
    ["somebody ended it, unknown who", { said: terminatedBy("") }, false, "QEMU was ended by signal 15 (SIGTERM)"],
    ["nobody saw it", { said: "warning: odd" }, true, "QEMU ended, and nobody saw how: warning: odd"],
  ])("is told when %s", (_what, facts, failed, reason) => {
    expect(toMachineEnd({ ...unknown, ...facts })).toMatchObject({ failed, reason });
  });

  it.each<[string, Partial<EndFacts>, object | undefined]>([
    ["nothing, when it was stopped", { wanted: true }, undefined],
    ["that the guest shut down", { shutdownReason: "guest-shutdown" }, { kind: "guest-shutdown" }],
    [
      "that the guest shut down as it was asked to, when QEMU went too fast to say it",
      { isAsked: true, exit: { type: "code", code: 0 } },
      { kind: "guest-shutdown" },
    ],
    ["an exit that nobody asked for", { exit: { type: "code", code: 0 } }, { kind: "exit-code", exitCode: 0 }],
    ["a panic", { shutdownReason: "guest-panic" }, { kind: "guest-panic" }],
    ["the watchdog", { shutdownReason: "watchdog", exit: { type: "code", code: 0 } }, { kind: "watchdog" }],
    ["the signal", { exit: killed }, { kind: "signal", signal: 9 }],
    ["the signal that QEMU tells of", { said: terminatedBy(" from pid 7") }, { kind: "signal", signal: 15 }],
    ["the limit", { exit: killed, oomKill: grown }, { kind: "out-of-memory", limitMib: 64, signal: 9 }],
    ["the host's memory", { oomKill: full }, { kind: "host-out-of-memory", limitMib: 8000, signal: 9 }],
    ["the exit code", { exit: { type: "code", code: 1 } }, { kind: "exit-code", exitCode: 1 }],
    ["QEMU's own error", { shutdownReason: "host-error" }, { kind: "runtime-error" }],
    ["that nobody saw it", {}, { kind: "unknown" }],
  ])("tells programs %s", (_what, facts, end) => {
    expect(toMachineEnd({ ...unknown, ...facts }).end).toEqual(end);
  });

  it("is told by QEMU's last words only when they are about it", () => {
    expect(saysWhoEndedIt(terminatedBy(" from pid 7 (sh)"))).toBe(true);
    expect(saysWhoEndedIt("qemu-system-x86_64: warning: TCG doesn't support requested feature")).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { findOomKill } from "../../../agent/host/oom-kill.js";
import { signalText, toProcessExit } from "../../../agent/host/process-exit.js";

const record = (seconds: number, text: string) => `6,1234,${seconds * 1_000_000},-;${text}\n SUBSYSTEM=x\n`;
const group = (pid: number) =>
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a/b.service,task_memcg=/a/b.service,task=qemu-system-x86,pid=${pid},uid=1900000001`;
const host = (pid: number) =>
  `oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=qemu-system-x86,pid=${pid},uid=0`;
const killedInGroup = (pid: number) =>
  `Memory cgroup out of memory: Killed process ${pid} (qemu-system-x86) total-vm:900000kB, anon-rss:62464kB, file-rss:2048kB, shmem-rss:0kB, UID:0 pgtables:400kB oom_score_adj:0`;
const killed = (pid: number) =>
  `Out of memory: Killed process ${pid} (a (b) c) total-vm:900000kB, anon-rss:1048576kB, file-rss:2048kB, shmem-rss:0kB, UID:0 pgtables:400kB oom_score_adj:0`;

describe("a kill for want of memory in the kernel's log", () => {
  const process = { pid: 77, startTicks: "1000" };

  it.each<[string, readonly string[], ReturnType<typeof findOomKill>]>([
    ["by a limit", [record(20, group(77)), record(20, killedInGroup(77))], { group: "/a/b.service", heldMib: 61 }],
    ["by the host", [record(20, host(77)), record(20, killed(77))], { group: undefined, heldMib: 1024 }],
    ["by a limit, the cause overwritten", [record(20, killedInGroup(77))], { group: undefined, heldMib: 61 }],
    ["of another process", [record(20, group(78)), record(20, killedInGroup(78))], undefined],
    ["of an earlier process with this pid", [record(9, host(77)), record(9, killed(77))], undefined],
    [
      "the last one counts",
      [record(11, group(77)), record(11, killed(77)), record(12, host(77)), record(12, killed(77))],
      { group: undefined, heldMib: 1024 },
    ],
    ["none", [record(20, "entered promiscuous mode"), "junk", ""], undefined],
  ])("is found: %s", (_what, records, expected) => {
    expect(findOomKill(records, process)).toEqual(expected);
  });
});

describe("the status of a process that has ended", () => {
  it.each([
    [0, { type: "code", code: 0 }],
    [1 << 8, { type: "code", code: 1 }],
    [255 << 8, { type: "code", code: 255 }],
    [9, { type: "signal", signal: 9 }],
    [11 | 0x80, { type: "signal", signal: 11 }],
  ])("%i is read as wait(2) means it", (status, expected) => {
    expect(toProcessExit(status)).toEqual(expected);
  });

  it("names signals, as far as they have names", () => {
    expect([9, 11, 37].map(signalText)).toEqual(["signal 9 (SIGKILL)", "signal 11 (SIGSEGV)", "signal 37"]);
  });
});

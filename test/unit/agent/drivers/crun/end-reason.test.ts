import { describe, expect, it } from "vitest";
import { describeEnd } from "../../../../../agent/drivers/crun/end-reason.js";
import { parseMemoryEvents } from "../../../../../agent/drivers/crun/memory-events.js";

const atLimit = { kills: 1, limitReached: true };

describe("why a container ended", () => {
  it.each([
    [0, undefined, ""],
    [0, { kills: 0, limitReached: true }, ""],
    [3, undefined, "its first process ended with exit code 3"],
    [137, undefined, "its first process was ended by SIGKILL (signal 9), exit code 137"],
    [139, { kills: 0, limitReached: false }, "its first process was ended by SIGSEGV (signal 11), exit code 139"],
    [255, undefined, "its first process ended with exit code 255"],
    [undefined, undefined, "it ended, and nobody saw how"],
    [
      137,
      atLimit,
      "out of memory (OOM): it reached its limit of 64 MiB, and the kernel ended a process of it with SIGKILL; its first process was ended by SIGKILL (signal 9), exit code 137",
    ],
    [
      0,
      { kills: 2, limitReached: true },
      "out of memory (OOM): it reached its limit of 64 MiB, and the kernel ended 2 processes of it with SIGKILL; its first process ended with exit code 0",
    ],
    [
      undefined,
      { kills: 1, limitReached: false },
      "out of memory (OOM): the host was short of memory, not the container with its limit of 64 MiB, and the kernel ended a process of it with SIGKILL; nobody saw how its first process ended",
    ],
  ])("with exit code %j and %j", (code, memory, reason) => {
    expect(describeEnd(code, memory, 64)).toBe(reason);
  });

  it.each([
    ["version 1", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "54\n", { kills: 1, limitReached: true }],
    [
      "version 1, the host's memory",
      "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
      "0\n",
      { kills: 1, limitReached: false },
    ],
    ["version 2", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 0\n", "", { kills: 3, limitReached: true }],
    ["an old kernel", "oom_kill_disable 0\nunder_oom 0\n", "7\n", { kills: 0, limitReached: true }],
  ])("as control groups of %s tell it", (_, events, failures, expected) => {
    expect(parseMemoryEvents(events, failures)).toEqual(expected);
  });
});

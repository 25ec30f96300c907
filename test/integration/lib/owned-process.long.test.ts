import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { boundCommand, wardedCommand } from "../../../lib/owned-process.js";
import { findIdentity, isAlive, type ProcessIdentity, readArguments } from "../../../lib/process.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { AgentProcess } from "../agent/agent-process.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-owned-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

/**
 * A program that never ends, as a shell script that writes down all its processes: itself, a child, one in a session of its own, and one
 * whose parent is gone.
 */
const endless = (pids: string): string => `#!/bin/sh
trap '' INT HUP
sleep 600 & echo $! >>${pids}
setsid sleep 600 & echo $! >>${pids}
(setsid sh -c 'echo $$ >>${pids}; exec sleep 600' &)
echo $$ >>${pids}
while :; do sleep 600; done
`;
const processesOfEndless = 4;

/** Writes an endless program; resolves to its path and that of the file with its pids. */
async function makeEndless(folder: string, name: string): Promise<{ program: string; pids: string }> {
  await mkdir(join(directory, folder), { recursive: true });
  const [program, pids] = [join(directory, folder, name), join(directory, folder, `${name}.pids`)];
  await writeFile(program, endless(pids));
  await chmod(program, 0o755);
  return { program, pids };
}

/** Waits until the endless program runs with all its processes. */
function running(pids: string): Promise<ProcessIdentity[]> {
  return eventually(async () => {
    const told = (await readFile(pids, "utf8").catch(() => "")).trim().split("\n").filter(Boolean);
    expect(told.length).toBeGreaterThanOrEqual(processesOfEndless);
    const found = await Promise.all(told.map((pid) => findIdentity(Number(pid))));
    return found.map((identity) => {
      if (identity === undefined) throw new Error("one of them ended");
      return identity;
    });
  });
}

async function expectGone(identities: readonly ProcessIdentity[]): Promise<void> {
  await eventually(async () => {
    expect(await Promise.all(identities.map(isAlive))).toEqual(identities.map(() => false));
  });
}

/** A Node process that starts a command line and then only waits. */
function startParent(make: "wardedCommand" | "boundCommand", program: string) {
  const script = `
    import { spawn } from "node:child_process";
    import { ${make} } from ${JSON.stringify(join(installationRoot, "lib/owned-process.ts"))};
    spawn(...${make}(${JSON.stringify(program)}, []), { stdio: "ignore" });
    setInterval(() => undefined, 1000);`;
  return spawnOwned(nodePath, ["--input-type=module", "-e", script], { stdio: "ignore" });
}

describe("a program under a warden", () => {
  it("ends with all its descendants when its parent is killed", async () => {
    const { program, pids } = await makeEndless("warded", "tool");
    const parent = startParent("wardedCommand", program);
    const processes = await running(pids);
    parent.kill("SIGKILL");
    await expectGone(processes);
  });

  it("ends with all its descendants when it is cancelled", async () => {
    const { program, pids } = await makeEndless("cancelled", "tool");
    const cancel = new AbortController();
    const ended = run(program, [], { signal: cancel.signal });
    ended.catch(() => undefined);
    const processes = await running(pids);
    cancel.abort();
    await expect(ended).rejects.toThrow("was cancelled");
    await expectGone(processes);
  });

  it("ends with all its descendants when it takes too long", async () => {
    const { program, pids } = await makeEndless("late", "tool");
    await expect(run(program, [], { timeoutMs: 2_000 })).rejects.toThrow("took too long");
    // As many as had begun by then.
    const told = (await readFile(pids, "utf8").catch(() => "")).trim().split("\n").filter(Boolean).map(Number);
    await eventually(async () => expect(await Promise.all(told.map(isEndless))).toEqual(told.map(() => false)));
  });

  /** Whether it still is a process of the endless program. */
  async function isEndless(pid: number): Promise<boolean> {
    return /\b(sleep 600|tool)\b/.test((await readArguments(pid)).join(" "));
  }

  it("spares what has left its session when told so", async () => {
    const { program, pids } = await makeEndless("sessions", "tool");
    const child = spawnOwned(...wardedCommand(program, [], { sessions: 0 }), { stdio: "ignore" });
    const processes = await running(pids);
    child.kill("SIGTERM");
    await once(child, "exit");
    const alive = await Promise.all(processes.map(isAlive));
    // The program and its child; the two that called setsid stay.
    expect(alive.filter(Boolean)).toHaveLength(2);
    for (const { pid } of processes.filter((_, index) => alive[index])) process.kill(pid, "SIGKILL");
  });

  it.each([
    ["its exit code", ["sh", "-c", "exit 7"], 7, null],
    ["its signal", ["sh", "-c", "kill -9 $$"], null, "SIGKILL"],
    ["a signal that it would have ignored itself", ["sh", "-c", "kill -INT $$"], null, "SIGINT"],
  ] as const)("passes on %s", async (_what, [file, ...argv], code, signal) => {
    const [command, args] = wardedCommand(file, argv);
    const child = spawnOwned(command, args.with(4, String(process.pid)), { stdio: "ignore" });
    expect(await once(child, "exit")).toEqual([code, signal]);
  });

  it("is told apart from one that is not there", async () => {
    await expect(run("zt-no-such-tool", [])).rejects.toThrow("zt-no-such-tool is not installed");
    await expect(run("sh", ["-c", "exit 127"])).rejects.toThrow("sh failed with exit code 127");
  });
});

describe("a bound program", () => {
  it("is killed when its parent is", async () => {
    const parent = startParent("boundCommand", await makeSleeper());
    const identity = await eventually(async () => {
      // The file is there before the number is in it.
      const found = await findIdentity(Number((await readFile(join(directory, "sleeper.pid"), "utf8")).trim()));
      if (found === undefined) throw new Error("not yet");
      return found;
    });
    parent.kill("SIGKILL");
    await expectGone([identity]);
  });

  async function makeSleeper(): Promise<string> {
    const program = join(directory, "sleeper");
    await writeFile(program, `#!/bin/sh\necho $$ >${program}.pid\nexec sleep 600\n`, { mode: 0o755 });
    return program;
  }
});

it.each([
  ["a warden", wardedCommand],
  ["a bound program", boundCommand],
])("%s whose parent died before it could ask for its death runs nothing", async (_what, make) => {
  const file = join(directory, "ran");
  const [command, args] = make("touch", [file]);
  // As if the parent had been another process, which is no more.
  const orphan = args.map((argument) => (argument === String(process.pid) ? "999999999" : argument));
  await expect(run(command, orphan)).rejects.toThrow("exit code 125");
  await expect(readFile(file)).rejects.toThrow("ENOENT");
});

/** What the agent runs before it serves, and for what. */
const agentTools = ["qemu-system-x86_64", "qemu-img", "ip", "ovsdb-tool", "ethtool", "crun", "docker"];

describe("an agent that is killed while a tool hangs", () => {
  it.each(agentTools)("leaves nothing of %s", async (tool) => {
    const { pids } = await makeEndless(`agent-${tool}`, tool);
    const agent = await AgentProcess.create();
    try {
      const child = agent.spawn([], { PATH: `${join(directory, `agent-${tool}`)}:${process.env["PATH"]}` });
      const processes = await running(pids);
      child.kill("SIGKILL");
      await expectGone(processes);
    } finally {
      await agent.destroy({ instances: false });
    }
  });
});

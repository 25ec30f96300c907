import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findProcesses } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { CliRun } from "../../helpers/zor-cli.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

const machine = {
  nics: [{ lan: "lan1" }],
  qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", disks: [{ sizeMib: "64", persistent: true }] },
};

interface Shown {
  readonly name: string;
  readonly status: { readonly state: string; readonly reason: string };
}

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

async function status(id: string): Promise<Shown["status"]> {
  const parsed = JSON.parse(await done("get", "instances", "-o", "json")) as { readonly instances: readonly Shown[] };
  const shown = parsed.instances.find(({ name }) => name.endsWith(`/${id}`));
  if (shown === undefined) throw new Error(`there is no ${id}`);
  return shown.status;
}

async function pidOf(id: string): Promise<number> {
  const text = await readFile(join(rig.agent.state, "instances", id, "handle.json"), "utf8");
  return (JSON.parse(text) as { handle: { pid: number } }).handle.pid;
}

const runs = (id: string) => eventually(async () => expect((await status(id)).state).toMatch(/RUNNING/), 60_000);

/** Waits until commands run in it; a busy host takes long to boot a guest. */
const answers = (id: string) => eventually(async () => await done("exec", `zt/${id}`, "--", "true"), 120_000);

/** Words that say what to do about a QEMU that does not answer, or has gone. */
const remedy = /let it go on|start it (again|first)|ask again|was its process stopped or killed|backupDirs/;

let stopped: number | undefined;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
  await rig.createLan("lan2");
  for (const id of ["m1", "m2"]) await rig.create(id, machine);
  for (const id of ["m1", "m2"]) await answers(id);
});

afterEach(() => {
  if (stopped !== undefined) process.kill(stopped, "SIGCONT");
  stopped = undefined;
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

describe("a machine whose QEMU is stopped on its host", () => {
  it("is told, fails what is asked of it with what to do, holds up nobody, and goes on", {
    timeout: 900_000,
  }, async () => {
    stopped = await pidOf("m1");
    process.kill(stopped, "SIGSTOP");
    await eventually(async () => expect((await status("m1")).reason).toMatch(/does not answer/), 60_000);
    for (const argv of [
      ["pause", "zt/m1"],
      ["shutdown", "zt/m1", "--timeout", "5s"],
      ["snapshot", "create", "zt/m1", "bad"],
      ["snapshot", "create", "zt/m1", "bad", "--ram"],
      ["set", "instance", "zt/m1", "--add-nic", "lan=lan2"],
      ["save", "zt/m1", "--image", "bad"],
      ["exec", "zt/m1", "--", "true"],
      ["backup", "create", "zt/m1", "bad"],
      ["clone", "zt/m1", "bad"],
      ["suspend", "zt/m1"],
      ["reset", "zt/m1"],
      ["view", "zt/m1", "--png", join(rig.directory, "bad.png")],
    ]) {
      const [said, other] = await Promise.all([rig.zor(...argv), rig.shell("m2", "echo here")]);
      expect(other).toBe("here\n");
      expect({ argv, code: said.code }).not.toEqual({ argv, code: 0 });
      expect(said.stderr).toMatch(/m1/);
      expect({ argv, said: said.stderr }).toEqual({ argv, said: expect.stringMatching(remedy) });
    }
    const viewer = new CliRun(["console", "zt/m1", "--replay", "0"], { env: rig.env, columns: 80 });
    await viewer.stdout.sees(/Attached to zt\/m1/);
    process.kill(stopped, "SIGCONT");
    stopped = undefined;
    await runs("m1");
    await answers("m1");
    await rig.shell("m1", "echo on-and-on >/dev/ttyS0");
    await viewer.stdout.sees(/on-and-on/);
    viewer.input.write("\x1d");
    expect((await viewer.result).code).toBe(0);
    expect(JSON.parse(await done("get", "snapshots", "-o", "json"))).toEqual({});
    await done("snapshot", "create", "zt/m1", "good");
    await done("snapshot", "delete", "zt/m1", "good", "--yes");
  });

  it("can be stopped, and started again", { timeout: 300_000 }, async () => {
    stopped = await pidOf("m1");
    process.kill(stopped, "SIGSTOP");
    await done("stop", "zt/m1");
    stopped = undefined;
    await done("start", "zt/m1");
    await answers("m1");
  });

  it("in the middle of its start fails that in time and leaves nothing of it", { timeout: 300_000 }, async () => {
    await done("stop", "zt/m1");
    const other = await pidOf("m2");
    const starting = rig.zor("start", "zt/m1");
    const pid = await eventually(async () => {
      for (const { pid } of await findProcesses((argv) => /qemu-system/.test(argv[0] ?? ""))) {
        const place = await readlink(`/proc/${pid}/cwd`).catch(() => "");
        if (place.startsWith(rig.agent.state) && pid !== other) return pid;
      }
      throw new Error("it is not there yet");
    });
    process.kill(pid, "SIGSTOP");
    stopped = pid;
    const said = await starting;
    if (said.code !== 0) {
      stopped = undefined;
      expect(said.stderr).toMatch(/m1.*QEMU/);
      await eventually(async () => expect((await status("m1")).state).toMatch(/STOPPED|FAILED/), 60_000);
      await done("start", "zt/m1");
    } else {
      process.kill(pid, "SIGCONT");
      stopped = undefined;
    }
    await answers("m1");
  });
});

/** How a call ends whose machine was killed meanwhile; the last of it when the machine had gone before the call had come to it. */
const killed = /QEMU was killed by signal 9 \(SIGKILL\).*start it again with: zor start|does not run.*start it first/s;

describe("a machine whose QEMU is killed", () => {
  it.each<readonly [string, ...string[]]>([
    ["snapshot", "create", "zt/m1", "bad", "--ram"],
    ["save", "zt/m1", "--image", "bad"],
    ["shutdown", "zt/m1"],
    ["set", "instance", "zt/m1", "--add-nic", "lan=lan2"],
    ["exec", "zt/m1", "--", "sleep", "100"],
    ["cp", "/etc/os-release", "zt/m1:/tmp/bad"],
    ["view", "zt/m1", "--png", "bad.png"],
    ["send-key", "zt/m1", "a"],
    ["suspend", "zt/m1"],
    ["clone", "zt/m1", "bad"],
    ["pause", "zt/m1"],
  ])(
    "in the middle of %s %s %s: that ends, and how the machine ended is told",
    {
      timeout: 300_000,
    },
    async (...argv) => {
      if (!/RUNNING/.test((await status("m1")).state)) await done("start", "zt/m1");
      await answers("m1");
      const pid = await pidOf("m1");
      // Stopped first, so that the command does not end before.
      process.kill(pid, "SIGSTOP");
      stopped = pid;
      const asked = rig.zor(...argv.map((each) => (each === "bad.png" ? join(rig.directory, each) : each)));
      await rig.shell("m2", "true");
      process.kill(pid, "SIGKILL");
      stopped = undefined;
      const said = await asked;
      expect(said.code).not.toBe(0);
      expect({ argv, said: said.stderr }).toEqual({ argv, said: expect.stringMatching(killed) });
      await eventually(async () => expect((await status("m1")).state).toMatch(/STOPPED|FAILED/), 60_000);
      expect((await status("m1")).reason).toMatch(/kill/i);
      expect(JSON.parse(await done("get", "snapshots", "-o", "json"))).toEqual({});
      expect(await rig.shell("m2", "echo here")).toBe("here\n");
      await done("start", "zt/m1");
      await answers("m1");
    },
  );

  it("in the middle of a command that has begun: that ends with how the machine ended", {
    timeout: 300_000,
  }, async () => {
    await answers("m1");
    const running = rig.run("exec", "zt/m1", "--", "sh", "-c", "echo begun; sleep 100");
    await running.stdout.sees(/begun/);
    process.kill(await pidOf("m1"), "SIGKILL");
    const { code, stderr } = await running.result;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(
      /m1: it ended meanwhile: QEMU was killed by signal 9 \(SIGKILL\); start it again with: zor start/,
    );
    await eventually(async () => expect((await status("m1")).state).toMatch(/FAILED/), 60_000);
    await done("start", "zt/m1");
    await answers("m1");
  });
});

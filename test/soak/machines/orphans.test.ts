import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Companion } from "../../../agent/drivers/qemu/companion.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
}, 60_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** The programs beside QEMU that belong to anything in a directory. */
async function companionsIn(directory: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).split("\0")),
  );
  return pids.filter((_pid, index) => found[index]?.some((line) => line.startsWith(`ZOR_COMPANION=${directory}/`)));
}

it("leaves no program beside QEMU that an agent could not write down before it was killed", async () => {
  const directory = join(rig.directory, "instance");
  await mkdir(directory);
  const options = { netns: rig.agent.netns, cwd: "/", fds: [] };
  const sleeper = { tool: "sleep", argv: ["600"] };
  for (const isStarted of [false, true]) {
    expect(await new Companion(directory, "tpm").start(sleeper, options)).toBe(true);
    await eventually(async () => expect(await companionsIn(directory)).toHaveLength(1));
    const before = await companionsIn(directory);
    await rm(join(directory, "tpm.json"));
    // The next agent's, which starts it anew or removes the instance.
    const next = new Companion(directory, "tpm");
    if (isStarted) {
      expect(await next.start(sleeper, options)).toBe(true);
      await eventually(async () => expect(await companionsIn(directory)).toHaveLength(1));
      expect(await companionsIn(directory)).not.toEqual(before);
    }
    await next.remove();
    expect(await companionsIn(directory)).toEqual([]);
  }
});

it("leaves nothing of a machine with a TPM that is deleted after its agent was killed while it started", {
  timeout: 300_000,
}, async () => {
  const seen: number[] = [];
  for (const afterMs of [60, 120, 180, 260, 400, 800]) {
    const id = `m${afterMs}`;
    const desired = { desiredState: "DESIRED_STATE_STOPPED" };
    await rig.create(id, {
      memoryMib: "128",
      ...desired,
      qemu: { kernel: "micro", accelerator: "ACCELERATOR_TCG", tpm: true },
    });
    const starting = rig.run("start", `zt/${id}`).result;
    await delay(afterMs);
    await rig.agent.end("SIGKILL");
    const instance = join(rig.agent.state, "instances", id);
    seen.push((await companionsIn(instance)).length);
    await rig.agent.start(["--dial-out"]);
    await rig.ready();
    // The hub may ask the next agent once more: either way nothing is under way then.
    await starting;
    const { code, stderr } = await rig.zor("delete", "instance", `zt/${id}`, "--force", "--yes");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    await eventually(() => expect(existsSync(instance)).toBe(false));
    expect(await companionsIn(instance)).toEqual([]);
  }
  console.log(`programs of a TPM that ran when the agent was killed: ${seen.join(", ")}`);
  expect(await companionsIn(rig.agent.state)).toEqual([]);
});

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { isAlive, type ProcessIdentity, findProcesses, signalProcess } from "../../../lib/process.js";
import { programPath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", serialPorts: 2 } });
  await rig.answers("m1");
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const noise = (port: string) =>
  `stty -F /dev/${port} raw -echo; dd if=/dev/zero bs=1024 count=10240 2>/dev/null | tr '\\0' x >/dev/${port}; echo over >/dev/${port}; touch /tmp/over-${port}`;

async function pump(): Promise<ProcessIdentity> {
  const [found] = await findProcesses((argv) => {
    return argv.includes(programPath("console-pump")) && argv.some((each) => each.startsWith(rig.agent.state));
  });
  if (found === undefined) throw new Error("no pump runs");
  return found;
}

it("a guest says 10 MiB on a serial port while its agent is stopped, waits for nobody, and what it said last is there", async () => {
  await rig.zor("exec", "zt/m1", "-d", "--", "sh", "-c", `sleep 1; ${noise("ttyS1")}`);
  process.kill(rig.agent.pid, "SIGSTOP");
  try {
    // Nobody but the pump can write it there.
    const kept = join(rig.agent.state, "instances", "m1", "driver", "console1.log");
    await eventually(async () => expect((await readFile(kept)).subarray(-16).toString()).toContain("over"), 300_000);
  } finally {
    process.kill(rig.agent.pid, "SIGCONT");
  }
  await rig.ready();
  await eventually(async () => expect(await rig.shell("m1", "ls /tmp/over-ttyS1")).toBe("/tmp/over-ttyS1\n"));
  const console = rig.run("console", "zt/m1", "--port", "1", "--replay", "64");
  await console.stdout.sees(/xxxx(.|\n)*over/);
  console.interrupt();
  await console.result;
});

it("consoles go on when the pump is killed, and it ends by itself when nothing is left to be read", async () => {
  const first = await pump();
  await signalProcess(first, "SIGKILL");
  await eventually(async () => expect((await pump()).pid).not.toBe(first.pid));
  await rig.shell("m1", "echo still here >/dev/ttyS1");
  const console = rig.run("console", "zt/m1", "--port", "1");
  await console.stdout.sees(/over(.|\n)*still here/);
  console.interrupt();
  await console.result;
  const second = await pump();
  expect((await rig.zor("delete", "instance", "zt/m1", "--force", "--yes")).code).toBe(0);
  await eventually(async () => expect(await isAlive(second)).toBe(false));
});

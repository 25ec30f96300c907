import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { CliRun } from "../../helpers/zor-cli.js";
import { ReachRig } from "./rig.js";

let rig: ReachRig;
let events: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  events = rig.watchEvents();
  await rig.create("c1", { crun: { rootfs: "micro" } });
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", serialPorts: 2 } });
  await Promise.all([rig.answers("c1"), rig.answers("m1")]);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Has an instance say something on its console, or on another port of a machine. */
const say = (instance: string, words: string, device = instance === "c1" ? "/dev/console" : "/dev/ttyS0") =>
  rig.shell(instance, `printf '${words}' >${device}`);
const linesOf = (text: string, mark: string) => text.split(/\r?\n/).filter((line) => line.includes(mark));

it.each(["c1", "m1"])(
  "tells what %s said, harmless for terminals, with when, and no more than is asked for",
  async (id) => {
    await say(id, "one\\n\\033[31mtwo\\033[0m\\nthree\\n");
    await eventually(async () => expect((await rig.zor("logs", `zt/${id}`)).stdout).toContain("three\n"));
    const last = await rig.zor("logs", `zt/${id}`, "--tail", "2");
    expect(last).toMatchObject({ code: 0, stdout: "\\x1b[31mtwo\\x1b[0m\nthree\n" });
    expect((await rig.zor("logs", `zt/${id}`, "--tail", "2", "--raw")).stdout).toMatch(
      /^\x1b\[31mtwo\x1b\[0m\r?\nthree\r?\n$/,
    );
    const json = await rig.zor("logs", `zt/${id}`, "--tail", "1", "-o", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ log: `zt/${id}`, line: "three" });
    const timed = await rig.zor("logs", `zt/${id}`, "--since", "1h", "--tail", "1", "-t");
    expect(timed.stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z three\n$/);
    expect((await rig.zor("logs", `zt/${id}`, "--since", "2100-01-01T00:00:00Z")).stdout).toBe("");
  },
);

it("tells each serial port, what QEMU says, the agent's log and the hub's, and several at once", async () => {
  await say("m1", "second port\\n", "/dev/ttyS1");
  await eventually(async () =>
    expect((await rig.zor("logs", "zt/m1", "--port", "ttyS1")).stdout).toBe("second port\n"),
  );
  expect((await rig.zor("logs", "zt/m1", "--port", "3")).stderr).toContain("has the serial ports 0 to 1");
  expect((await rig.zor("logs", "zt/c1", "--port", "1")).code).not.toBe(0);
  expect(await rig.zor("logs", "zt/m1", "--source", "runtime")).toMatchObject({ code: 0 });
  const both = await rig.zor("logs", "--agent", "zt", "--hub", "--tail", "50");
  expect(both.stdout).toMatch(/^agent zt \| \{.*"msg":"the agent serves"/m);
  expect(both.stdout).toMatch(/^hub \| \{.*"msg":"hub is serving"/m);
  expect((await rig.zor("logs", "zt/nobody")).stderr).toContain("nobody");
});

it("follows a log through the end of its agent and of its hub, with nothing missing and nothing twice", async () => {
  const follow = rig.run("logs", "-f", "zt/m1", "--tail", "0");
  await say("m1", "before-1\\n");
  await follow.stdout.sees(/before-1/);
  await rig.agent.end("SIGKILL");
  await follow.stderr.sees(/was lost/);
  await rig.agent.start();
  await rig.ready();
  await rig.answers("m1");
  await say("m1", "after-2\\n");
  await follow.stdout.sees(/after-2/);
  await rig.hub.kill();
  await rig.hub.run();
  await rig.reconnect();
  events = rig.watchEvents();
  await rig.answers("m1");
  await say("m1", "after-3\\n");
  await follow.stdout.sees(/after-3/);
  expect(follow.stderr.text).toContain("nothing of it is missing");
  expect(follow.stdout.text.match(/before-1|after-\d/g)).toEqual(["before-1", "after-2", "after-3"]);
  follow.interrupt();
  await follow.result;
});

it("shows a console to several, says who is there, keeps what is shown, and comes back when the agent does", async () => {
  const file = join(rig.directory, "m1.log");
  const one = new CliRun(["console", "zt/m1", "--replay", "0", "--log", file], { env: rig.env, columns: 80 });
  await one.stdout.sees(/Attached to zt\/m1/);
  const two = rig.run("console", "zt/m1", "--read-only", "--replay", "0");
  await eventually(async () => {
    const { stdout } = await rig.zor("console", "zt/m1", "--list");
    expect(stdout.match(/port 0 .*/g)).toHaveLength(2);
    expect(stdout).toContain("(looks)");
  });
  await say("m1", "for-both-1\\n");
  await Promise.all([one.stdout.sees(/for-both-1/), two.stdout.sees(/for-both-1/)]);
  await rig.agent.end("SIGKILL");
  await one.stdout.sees(/the connection was lost/);
  await rig.agent.start();
  await rig.ready();
  await rig.answers("m1");
  await say("m1", "for-both-2\\n");
  await Promise.all([one.stdout.sees(/for-both-2/), two.stdout.sees(/for-both-2/)]);
  expect(one.stdout.text).toContain("attached again; no output is missing");
  expect(two.stderr.text).toContain("attached again; no output is missing");
  one.input.write("\x1d");
  expect((await one.result).code).toBe(0);
  two.interrupt();
  await two.result;
  const kept = await readFile(file, "utf8");
  expect(linesOf(kept, "for-both")).toEqual(["for-both-1", "for-both-2"]);
  expect(kept).not.toContain("zor:");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await eventually(() => {
    expect(events).toContain("instance.console_attached attached to the console");
    expect(events).toContain("instance.console_attached attached to the console, to look at it");
    expect(events.filter((event) => event.startsWith("instance.console_detached")).length).toBeGreaterThan(1);
  });
  await eventually(async () => expect((await rig.zor("console", "zt/m1", "--list")).stdout).toBe(""));
});

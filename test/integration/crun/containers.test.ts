import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectCgroups } from "../../../agent/drivers/containers/host-cgroups.js";
import { Keeper } from "../../../agent/drivers/crun/keeper.js";
import { findRuntime } from "../../../agent/drivers/crun/runtime-probe.js";
import { run } from "../../../agent/host/exec.js";
import { askUntilEnded } from "../../../agent/kinds/instance/ask-until-ended.js";
import { pause } from "../../../lib/backoff.js";
import { isAlive } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { all, CrunFixture, callOptions, toCommand } from "./fixture.js";

const before = captureMachine();
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make();
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

describe("the root filesystem of a container", () => {
  it.each([
    ["fs.tar", []],
    ["fs.tar.gz", ["--gzip"]],
    ["fs.tar.zst", ["--zstd"]],
  ])("comes from the archive %s", async (name, compression) => {
    const tree = await world.unpackMicro(`tree-${name}`);
    await run("tar", ["--create", ...compression, `--file=${join(world.images, name)}`, `--directory=${tree}`, "."]);
    const instance = await world.create({ rootfs: name, command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    expect(await world.shell(instance, handle, "hostname; pwd")).toBe("c1\n/\n");
    await world.driver.stop(instance, handle);
  });

  it.each([false, true])("comes from a directory that stays as it is, and keeps changes: %s", async (persistent) => {
    const name = `directory-${persistent}`;
    const tree = await world.unpackMicro(name);
    const instance = await world.create({ rootfs: name, persistent, command: ["/bin/sleep", "1000"] });
    let handle = await world.start(instance);
    await world.shell(instance, handle, "echo mine > /etc/mine");
    await world.driver.stop(instance, handle);
    handle = await world.start(instance);
    expect(await world.shell(instance, handle, "cat /etc/mine")).toContain(persistent ? "mine\n" : "No such file");
    await world.driver.stop(instance, handle);
    expect(await readdir(join(tree, "etc"))).not.toContain("mine");
  });

  it.each([
    ["an absolute path", ["--absolute-names", "--transform=s,^e,/e,"]],
    ["a path that climbs out", ["--absolute-names", "--transform=s,^e,../e,"]],
  ])("is refused as an archive with %s, and nothing is extracted", async (_, argv) => {
    const tree = await world.unpackMicro(`hostile-${argv.at(-1)?.length}`);
    const file = join(world.images, "hostile.tar");
    await run("tar", ["--create", `--file=${file}`, `--directory=${tree}`, ...argv, "etc"]);
    const instance = await world.define({ rootfs: "hostile.tar" });
    await expect(world.driver.create(instance, callOptions)).rejects.toMatchObject({ code: 3 });
    expect(await readdir(instance.directory)).toEqual([]);
  });

  it("is refused as a file that is no archive", async () => {
    await run("cp", ["/bin/true", join(world.images, "noise.tar")]);
    const instance = await world.define({ rootfs: "noise.tar" });
    await expect(world.driver.create(instance, callOptions)).rejects.toMatchObject({ code: 3 });
  });
});

describe("a container", () => {
  it.each([
    [
      "hears SIGTERM only after a while",
      "trap '' TERM; echo deaf; until test -e /hear; do sleep 0.1; done; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    ],
    ["hears nothing, but ends with what it waits for", "echo deaf; sleep 1000; exit 0"],
  ])("whose first process %s ends when it is asked again", async (_, script) => {
    const instance = await world.create({ command: ["/bin/sh", "-c", script] });
    const handle = await world.start(instance);
    await eventually(async () => {
      expect(await readFile(join(instance.directory, "console", "log"), "utf8")).toContain("deaf");
    });
    const { ended, asked } = await askUntilEnded({
      ask: async (attempt) => {
        await world.driver.requestShutdown(instance, handle, { attempt });
        // By now it has been asked in vain.
        if (attempt === 0) await world.shell(instance, handle, "touch /hear");
      },
      waitForEnd: async (signal) => {
        while ((await isAlive(handle)) && !signal.aborted) await pause(20, signal);
        return !(await isAlive(handle));
      },
      signal: AbortSignal.timeout(60_000),
    });
    expect(ended).toBe(true);
    expect(asked).toBeGreaterThan(1);
    expect(await world.driver.inspect(instance, handle, callOptions)).toMatchObject({ state: "stopped", reason: "" });
  });

  it("that cannot be started says why and leaves nothing", async () => {
    const tree = await world.unpackMicro("loses-its-program");
    const command = ["/bin/program"];
    await run("cp", [join(tree, "bin", "busybox"), join(tree, command[0] ?? "")]);
    const instance = await world.create({ rootfs: "loses-its-program", persistent: true, command });
    await rm(join(tree, command[0] ?? ""));
    await expect(world.start(instance)).rejects.toThrow(/\/bin\/program.* not found/);
    expect(await world.driver.recover(instance, undefined)).toBeUndefined();
  });

  it("starts though an attempt that was cut short left an empty record with the runtime", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    await mkdir(join(world.root, "s", "crun", `zor-${instance.uid}`), { recursive: true });
    const handle = await world.start(instance);
    expect(await isAlive(handle)).toBe(true);
    await world.driver.stop(instance, handle);
  });

  it("that ended by itself has failed with its exit code, and tells of it", async () => {
    const instance = await world.create({ command: ["/bin/sh", "-c", "exit 3"] });
    const handle = await world.start(instance);
    await eventually(async () => expect(await isAlive(handle)).toBe(false));
    const observed = await world.driver.inspect(instance, handle, callOptions);
    expect(observed).toMatchObject({ state: "failed", pid: 0, reason: expect.stringContaining("exit code 3") });
  });

  it.each([
    ["its first process", "exec tail /dev/zero"],
    ["one that a supervisor runs, which passes that on", "sh -c 'exec tail /dev/zero'; exit $?"],
  ])("that was killed for memory says so, with its limit, signal and exit code: %s", async (_what, line) => {
    const instance = await world.create({ command: ["/bin/sh", "-c", line] });
    const handle = await world.start(instance);
    await eventually(async () => expect(await isAlive(handle)).toBe(false));
    const { state, reason } = await world.driver.inspect(instance, handle, callOptions);
    expect(state).toBe("failed");
    expect(reason).toMatch(/^out of memory \(OOM\): it reached its limit of 64 MiB,.* SIGKILL .*exit code 137$/);
  });

  it("that a signal ended says which", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    // Nothing else reaches a namespace's first process that has no handler.
    process.kill(handle.pid, "SIGKILL");
    await eventually(async () => expect(await isAlive(handle)).toBe(false));
    const { reason } = await world.driver.inspect(instance, handle, callOptions);
    expect(reason).toBe("its first process was ended by SIGKILL (signal 9), exit code 137");
  });

  it("is limited to its memory and CPUs where the host can", async () => {
    const { version, enter } = await detectCgroups();
    const read = async (path: string) => {
      const [tool = "cat", ...argv] = [...enter, "cat", `/sys/fs/cgroup/${path}`];
      return (await run(tool, argv)).stdout;
    };
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    const group = `zor-${instance.uid}`;
    const [memory, cpu] =
      version === "v2"
        ? [`${group}/memory.max`, `${group}/cpu.max`]
        : [`memory/${group}/memory.limit_in_bytes`, `cpu/${group}/cpu.cfs_quota_us`];
    expect(await read(memory)).toBe("67108864\n");
    expect(await read(cpu)).toMatch(/^100000\b/);
    await world.driver.stop(instance, handle);
  });

  it("that is destroyed leaves no control group, though the runtime forgot one", async () => {
    const { enter, version } = await detectCgroups();
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const [tool = "sh", ...argv] = [...enter, "sh", "-c"];
    const group = `/sys/fs/cgroup/${version === "v2" ? "" : "pids/"}zor-${instance.uid}`;
    await run(tool, [...argv, `mkdir -p ${group}/inner`]);
    await world.driver.destroy(instance);
    expect((await run(tool, [...argv, `test -e ${group} || echo gone`])).stdout).toBe("gone\n");
  });

  it("has no files of commands any more that an agent which was killed had begun", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const [old, current] = ["exec-0123456789ab.json", "exec-ba9876543210.json"];
    for (const file of [old, current]) await writeFile(join(instance.directory, file), "{}");
    await utimes(join(instance.directory, old), 1, 1);
    await world.driver.recover(instance, undefined);
    const files = await readdir(instance.directory);
    expect(files).toContain(current);
    expect(files).not.toContain(old);
  });

  it("is stopped while it is paused", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    await world.driver.pause(instance, handle, callOptions);
    await expect(world.driver.exec(instance, handle, toCommand(["true"]), callOptions).next()).rejects.toMatchObject({
      reason: "NOT_RUNNING",
    });
    await world.driver.stop(instance, handle);
    expect(await isAlive(handle)).toBe(false);
  });

  it("created but not started when the agent was killed is removed and not taken for running", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const finished = await world.start(instance);
    await world.driver.stop(instance, finished);
    const { runtime, keeperPath } = await findRuntime(join(world.root, "s", "crun"));
    const keeper = new Keeper(instance.directory, `zor-${instance.uid}`);
    const { directory } = instance;
    const root = {
      kind: "overlay",
      lower: { home: join(directory, "lower"), names: ["0"] },
      layer: { kind: "image", image: join(directory, "layer.img") },
      writable: join(directory, "layer"),
      target: join(directory, "rootfs"),
    } as const;
    const more = { binds: [], stage: join(directory, "mounts") };
    const identity = await keeper.create({ runtime, keeperPath, root, more, signal: callOptions.signal });
    expect(await isAlive(identity)).toBe(true);
    expect(await world.driver.recover(instance, undefined)).toBeUndefined();
    expect(await isAlive(identity)).toBe(false);
    await world.driver.stop(instance, await world.start(instance));
  });

  it("has no privileges to gain and sees none of the host", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    const script = "grep NoNewPrivs /proc/self/status; ls /sys/class/net; mknod /tmp/x b 8 0 2>&1; ps | wc -l; id -u";
    const text = await world.shell(instance, handle, script);
    expect(text).toMatch(/NoNewPrivs:\s+1/);
    expect(text).toContain("lo\n");
    expect(text).toContain("Operation not permitted");
    expect(text.endsWith("0\n")).toBe(true);
    await world.driver.stop(instance, handle);
  });
});

describe("the console of a container", () => {
  it("is bounded on disk however much is written, slows nobody, and still takes input", async () => {
    const instance = await world.create({
      command: ["/bin/sh", "-c", "yes abcdefghij | head -c 6000000; echo flood-is-over; exec /bin/sh"],
    });
    const handle = await world.start(instance);
    const idle = await world.driver.openConsole(instance, handle, { ...callOptions, replayBytes: 0 });
    const log = join(instance.directory, "console", "log");
    await eventually(async () => expect((await readFile(log)).toString()).toContain("flood-is-over"));
    expect((await stat(log)).size).toBeLessThan(1024 * 1024);
    const stream = await world.driver.openConsole(instance, handle, { ...callOptions, replayBytes: 1000 });
    await stream.resize(99, 44);
    await stream.write(Buffer.from("stty size; echo ty''ped\n"));
    let text = "";
    for await (const chunk of stream.output) {
      text += Buffer.from(chunk).toString();
      if (text.includes("typed")) break;
    }
    expect(text).toContain("44 99");
    await stream.close();
    await idle.close();
    await world.driver.stop(instance, handle);
  });

  it.each([
    ["its own init", []],
    ["a shell", ["/bin/sh"]],
  ])("greets without a complaint, on a terminal that has a size: %s", async (_what, command) => {
    const instance = await world.create({ command });
    const handle = await world.start(instance);
    const signal = AbortSignal.timeout(30_000);
    const stream = await world.driver.openConsole(instance, handle, { signal, replayBytes: 10_000 });
    // The terminal keeps what is typed until the shell reads it.
    await stream.write(Buffer.from("stty size\n"));
    let text = Buffer.from(stream.replay).toString();
    for await (const chunk of stream.output) {
      text += Buffer.from(chunk).toString();
      if (text.includes("\r\n24 80\r\n")) break;
    }
    expect(text).toContain("\r\n24 80\r\n");
    expect(text).not.toContain("stty: ");
    await stream.close();
    await world.driver.stop(instance, handle);
  });

  it("ends when the container does", async () => {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    const handle = await world.start(instance);
    const stream = await world.driver.openConsole(instance, handle, { ...callOptions, replayBytes: 0 });
    const ended = all(stream.output);
    await world.driver.stop(instance, handle);
    expect(await ended).toEqual([]);
    await stream.close();
  });
});

import { readdir, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecoveryHandle } from "../../../agent/drivers/driver.js";
import { askUntilEnded } from "../../../agent/kinds/instance/ask-until-ended.js";
import { pause } from "../../../lib/backoff.js";
import { eventually } from "../../helpers/eventually.js";
import { converse } from "../../helpers/in-guest-server.js";
import { leftNetns } from "../../helpers/netns.js";
import { type InstanceNetworkFixture, makeInstanceNetwork } from "./network.js";
import type { Subject } from "./subject.js";
import { callOptions, readUntil, World } from "./world.js";

/** Kinds whose consoles are terminals with a size. */
const sized: ReadonlySet<string> = new Set(["crun", "docker", "podman"]);

/** What every driver keeps. */
export function describeDriver(subject: Subject): void {
  describe(`the ${subject.kind} driver`, () => defineTests(subject));
}

function defineTests(subject: Subject): void {
  let world: World;
  let fixture: InstanceNetworkFixture;
  let handle: RecoveryHandle;

  const inspect = (known: RecoveryHandle | undefined = handle) =>
    world.driver.inspect(world.instance, known, callOptions);
  /** The process that is shown for its handle. */
  const shownPid = () => (subject.hasProcesses === false ? 0 : handle.pid);
  const eventTypes = () => world.events.filter(({ uid }) => uid === world.instance.uid).map(({ type }) => type);

  beforeAll(async () => {
    if (subject.missing !== undefined) throw new Error(subject.missing);
    world = await World.make(subject);
    fixture = await makeInstanceNetwork(world.driver);
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  it("tells in its fingerprint that it is usable, under ids of its own", async () => {
    const capabilities = await world.driver.fingerprint(callOptions);
    expect(capabilities.find(({ id }) => id === `driver.${subject.kind}`)).toMatchObject({ available: true });
    expect(
      capabilities.every(({ id }) => id === `driver.${subject.kind}` || id.startsWith(`driver.${subject.kind}.`)),
    ).toBe(true);
    expect(capabilities.every(({ available, reason }) => available || reason !== "")).toBe(true);
  });

  describe("asked to validate a spec", () => {
    it("accepts a good one", async () => {
      // What is found has to be taken over before it can be changed.
      if (world.can.discover !== undefined) await world.driver.create(world.instance, callOptions);
      await expect(world.driver.validate(world.instance.spec, callOptions)).resolves.toBeUndefined();
    });

    it.each(["missing.img", "../outside", "/etc/passwd", "", "a\nb", "a\0b", "-x,y=z"])(
      "refuses the image %j and names the field",
      async (image) => {
        if (subject.imageField === undefined) return;
        const spec = subject.withImage(world.instance.spec, image);
        await expect(world.driver.validate(spec, callOptions)).rejects.toMatchObject({
          code: expect.toBeOneOf([status.INVALID_ARGUMENT, status.FAILED_PRECONDITION]),
          violations: expect.arrayContaining([expect.objectContaining({ field: subject.imageField })]),
        });
      },
    );
  });

  describe("before the first start", () => {
    it("creates an instance, twice with the same result", async () => {
      await world.driver.create(world.instance, callOptions);
      await world.driver.create(world.instance, callOptions);
      expect(await inspect(undefined)).toMatchObject({ state: "stopped", pid: 0 });
    });

    it("recovers nothing", async () => {
      expect(await world.driver.recover(world.instance, undefined, callOptions)).toBeUndefined();
    });

    it("leaves nothing running when a start fails", async () => {
      if (!subject.hasGuests) return;
      const nowhere = { ...fixture.network, netns: "zt-nowhere" };
      await expect(world.driver.start(world.instance, nowhere, callOptions)).rejects.toThrow();
      expect(await world.driver.recover(world.instance, undefined, callOptions)).toBeUndefined();
    });
  });

  it("leaves nothing running when a start is cancelled", async () => {
    const cancel = new AbortController();
    const starting = world.driver.start(world.instance, fixture.network, { signal: cancel.signal });
    cancel.abort();
    await expect(starting).rejects.toMatchObject({ name: "AbortError" });
    expect(await world.driver.recover(world.instance, undefined, callOptions)).toBeUndefined();
  });

  describe("started", () => {
    beforeAll(async () => {
      handle = await world.driver.start(world.instance, fixture.network, callOptions);
    });

    it("runs as the process of its handle and says so", async () => {
      expect(await subject.isAlive(handle)).toBe(true);
      expect(await inspect()).toMatchObject({ state: "running", pid: shownPid(), startTime: expect.any(Date) });
      await eventually(() => expect(eventTypes()).toContain("started"));
    });

    it("refuses a second start and goes on", async () => {
      await expect(world.driver.start(world.instance, fixture.network, callOptions)).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
      expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
    });

    it("is reached over its interface", async () => {
      if (!subject.hasGuests) return;
      await eventually(() => fixture.ping());
    });

    it("gives every reader of its console the same output, and the recent past to a late one", async () => {
      if (world.can.console === undefined) return;
      const [first, second] = await Promise.all([world.openConsole(handle), world.openConsole(handle)]);
      await first.write(Buffer.from("echo con''sole-1\n"));
      await expect(readUntil(first, "console-1")).resolves.toContain("console-1");
      await expect(readUntil(second, "console-1")).resolves.toContain("console-1");
      const late = await world.openConsole(handle, 4096);
      await expect(readUntil(late, "console-1")).resolves.toContain("console-1");
      await Promise.all([first, second, late].map((stream) => stream.close()));
    });

    it("makes a container's terminal as large as it is told, before what is typed afterwards", async () => {
      if (!sized.has(subject.kind) || !subject.hasGuests) return;
      const stream = await world.openConsole(handle);
      const output = stream.output[Symbol.asyncIterator]();
      let said = "";
      for (const columns of [99, 44, 132]) {
        // Two at once, as they come when a console is opened and then drawn.
        await stream.resize(80, 24);
        await stream.resize(columns, 50);
        await stream.write(Buffer.from(`stty size; echo si''zed-${columns}\n`));
        while (!said.includes(`sized-${columns}`)) {
          const next = await output.next();
          if (next.done === true) throw new Error(`the console ended: ${said}`);
          said += Buffer.from(next.value).toString();
        }
        expect(said).toMatch(new RegExp(`^50 ${columns}\r\nsized-${columns}`, "m"));
      }
      await stream.close();
    });

    it("becomes ready for commands and tells their output and exit code apart", async () => {
      if (world.can.exec === undefined || !subject.hasGuests) return;
      await eventually(async () => expect(await inspect()).toMatchObject({ execReady: true }));
      const result = await world.exec(handle, { command: ["sh", "-c", "echo out; echo err >&2; exit 7"] });
      expect(result).toEqual({ stdout: "out\n", stderr: "err\n", code: 7 });
    });

    it("gives a command its environment and input, and takes no argument for shell text", async () => {
      if (world.can.exec === undefined || !subject.hasGuests) return;
      const stdin = (async function* () {
        yield Buffer.from("typed");
      })();
      const command = ["sh", "-c", 'cat; echo " $A $0"', "$(reboot)"];
      const result = await world.exec(handle, { command, environment: { A: "b c" }, stdin });
      expect(result).toMatchObject({ stdout: "typed b c $(reboot)\n", code: 0 });
    });

    it("runs several commands at once and keeps their outputs apart", async () => {
      if (world.can.exec === undefined || !subject.hasGuests) return;
      const words = ["one", "two", "three", "four"];
      const results = await Promise.all(
        words.map((word) => world.exec(handle, { command: ["sh", "-c", `sleep 0.1; echo ${word}`] })),
      );
      expect(results.map(({ stdout }) => stdout)).toEqual(words.map((word) => `${word}\n`));
    });

    it("runs commands as who and where they are told, and connects to what they leave running", async () => {
      const { exec, detach, connect } = world.can;
      if (exec === undefined || !subject.hasGuests) return;
      await world.exec(handle, { command: ["sh", "-c", "echo 'ann:x:1004:1005::/home/ann:/bin/sh' >>/etc/passwd"] });
      const facts = ["sh", "-c", 'echo "$(id -u) $(id -g) $(pwd) $HOME $USER $A"'];
      const asAnn = { command: facts, environment: { A: "b c" }, user: "ann", directory: "/tmp" };
      expect(await world.exec(handle, asAnn)).toMatchObject({ stdout: "1004 1005 /tmp /home/ann ann b c\n", code: 0 });
      if (detach === undefined || connect === undefined) return;
      const command = ["nc", "-ll", "-p", "7000", "-e", "sh", "-c", "read a; echo heard $a; cat >/dev/null; echo over"];
      const pid = await detach.execDetached(world.instance, handle, { command, environment: {} }, callOptions);
      expect((await world.exec(handle, { command: ["cat", `/proc/${pid}/cmdline`] })).stdout).toContain("7000");
      const listening = async () => (await world.exec(handle, { command: ["netstat", "-ltn"] })).stdout;
      await eventually(async () => expect(await listening()).toContain(":7000"));
      const at = { instance: world.instance, handle };
      const said = await converse({ can: { connect } }, at, { port: 7000, words: "word\n" });
      expect(said).toEqual({ text: "heard word\nover\n", ended: true });
      await world.exec(handle, { command: ["kill", "-KILL", String(pid)] });
    });

    it("ends a command whose caller has gone", async () => {
      if (world.can.exec === undefined || !subject.hasGuests) return;
      const abort = new AbortController();
      const running = world.exec(handle, { command: ["sleep", "4711"] }, abort.signal);
      running.catch(() => undefined);
      const listed = async () => (await world.exec(handle, { command: ["ps"] })).stdout;
      await eventually(async () => expect(await listed()).toContain("sleep 4711"));
      abort.abort();
      await running.catch(() => undefined);
      await eventually(async () => expect(await listed()).not.toContain("sleep 4711"));
    });

    it("pauses and resumes", async () => {
      const { pause } = world.can;
      if (pause === undefined) return;
      await pause.pause(world.instance, handle, callOptions);
      expect(await inspect()).toMatchObject({ state: "paused", pid: shownPid() });
      await pause.resume(world.instance, handle, callOptions);
      expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
      await eventually(() => expect(eventTypes()).toEqual(expect.arrayContaining(["paused", "resumed"])));
    });
  });

  it("changes while it runs what it says it can, and takes that back", async () => {
    const { change } = world.can;
    const before = world.instance.spec;
    const after = { ...before, memoryMib: (before.memoryMib ?? 128n) * 2n };
    if (change?.timingOf({ path: "memory_mib", before, after, isRunning: true }).when !== "now") return;
    const whole = { before, after, paths: ["memory_mib"], network: undefined };
    const takeBack = await change.applyChange(world.instance, handle, whole, callOptions);
    expect(await subject.readMemoryMib?.(handle)).toBe(Number(after.memoryMib));
    await takeBack();
    expect(await subject.readMemoryMib?.(handle)).toBe(Number(before.memoryMib));
    expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
  });

  describe("after the agent was restarted", () => {
    it("adopts what runs with its handle", async () => {
      await world.restartAgent();
      expect(await world.driver.recover(world.instance, handle, callOptions)).toMatchObject({ pid: handle.pid });
      expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
      if (subject.hasGuests) await eventually(() => fixture.ping());
    });

    it("adopts what runs without a handle, and with one of a foreign process", async () => {
      const foreign = { pid: process.pid, startTicks: "1", extra: {} };
      for (const known of [undefined, foreign]) {
        await world.restartAgent();
        expect(await world.driver.recover(world.instance, known, callOptions)).toMatchObject({ pid: handle.pid });
      }
    });

    it("does not start a second one", async () => {
      await world.restartAgent();
      await expect(world.driver.start(world.instance, fixture.network, callOptions)).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
      expect(await world.driver.recover(world.instance, handle, callOptions)).toMatchObject({ pid: handle.pid });
    });

    it("has the console with its past, and runs commands", async () => {
      if (world.can.console !== undefined) {
        const stream = await world.openConsole(handle, 65_536);
        await expect(readUntil(stream, "console-1")).resolves.toContain("console-1");
        await stream.write(Buffer.from("echo con''sole-2\n"));
        await expect(readUntil(stream, "console-2")).resolves.toContain("console-2");
        await stream.close();
      }
      if (world.can.exec !== undefined && subject.hasGuests) {
        await eventually(async () => expect(await inspect()).toMatchObject({ execReady: true }));
        expect(await world.exec(handle, { command: ["hostname"] })).toMatchObject({ stdout: "vm1\n", code: 0 });
      }
    });
  });

  it("is suspended to disk, and goes on from there with what ran inside", async () => {
    const { suspend } = world.can;
    if (suspend === undefined) return;
    const mark = "sleep 4712 >/dev/null 2>&1 & echo $! > /suspended-pid";
    if (subject.hasGuests) await world.exec(handle, { command: ["sh", "-c", mark] });
    await suspend.suspend(world.instance, handle, callOptions);
    expect(await subject.isAlive(handle)).toBe(false);
    expect(await suspend.isSuspended(world.instance)).toBe(true);
    await world.restartAgent();
    expect(await world.driver.recover(world.instance, handle, callOptions)).toBeUndefined();
    const again = world.can.suspend ?? suspend;
    handle = await again.resumeSuspended(world.instance, fixture.network, callOptions);
    expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
    expect(await again.isSuspended(world.instance)).toBe(false);
    if (!subject.hasGuests) return;
    await eventually(async () => expect(await inspect()).toMatchObject({ execReady: true }));
    const found = await world.exec(handle, {
      command: ["sh", "-c", "grep -c sleep /proc/$(cat /suspended-pid)/cmdline"],
    });
    expect(found).toMatchObject({ code: 0 });
    // The kernel takes up to a second to let frames through an interface that has got its carrier.
    await eventually(() => fixture.ping());
  });

  describe("reset and shut down", () => {
    it("begins again when reset", async () => {
      const { reset } = world.can;
      if (reset === undefined) return;
      handle = await reset.reset(world.instance, handle, fixture.network, callOptions);
      await eventually(() => expect(eventTypes()).toContain("reset"));
      // An emulated machine boots several times slower after a reset: its old translations are in the way.
      if (subject.hasGuests) await eventually(() => fixture.ping(), 90_000);
      expect(await inspect()).toMatchObject({ state: "running", pid: shownPid() });
    });

    it("ends by itself when asked to shut down", async () => {
      const { shutdown } = world.can;
      if (shutdown === undefined) return;
      if (world.can.exec !== undefined)
        await eventually(async () => expect(await inspect()).toMatchObject({ execReady: true }));
      await shutdown.requestShutdown(world.instance, handle, { ...callOptions, attempt: 0 });
      await eventually(async () => {
        // Of a guest in which nothing can be run it is not known when it listens.
        if (world.can.exec === undefined && (await subject.isAlive(handle)))
          await shutdown.requestShutdown(world.instance, handle, { ...callOptions, attempt: 1 });
        expect(eventTypes()).toContain("exited");
      });
      expect(await subject.isAlive(handle)).toBe(false);
      expect(await inspect()).toMatchObject({ state: "stopped", pid: 0 });
    });
  });

  it("ends when it is asked to from the moment of its start on", async () => {
    const { driver } = world;
    const { shutdown } = world.can;
    if (shutdown === undefined) return;
    handle = await driver.start(world.instance, fixture.network, callOptions);
    const { ended } = await askUntilEnded({
      ask: (attempt) => shutdown.requestShutdown(world.instance, handle, { ...callOptions, attempt }),
      waitForEnd: async (signal) => {
        while ((await subject.isAlive(handle)) && !signal.aborted) await pause(20, signal);
        return !(await subject.isAlive(handle));
      },
      signal: AbortSignal.timeout(100_000),
    });
    expect(ended).toBe(true);
    await eventually(async () => expect(await inspect()).toMatchObject({ state: "stopped", pid: 0 }));
  });

  describe("stopped", () => {
    it("starts again, is stopped at once, and stays so when stopped again", async () => {
      handle = await world.driver.start(world.instance, fixture.network, callOptions);
      await world.driver.stop(world.instance, handle, callOptions);
      expect(await subject.isAlive(handle)).toBe(false);
      await world.driver.stop(world.instance, handle, callOptions);
      expect(await inspect()).toMatchObject({ state: "stopped", pid: 0 });
      expect(await world.driver.recover(world.instance, handle, callOptions)).toBeUndefined();
    });

    it("tells when it was killed from outside", async () => {
      if (subject.hasProcesses === false) return;
      handle = await world.driver.start(world.instance, fixture.network, callOptions);
      world.events.length = 0;
      subject.kill(handle);
      await eventually(() => expect(eventTypes()).toContain("exited"));
      const end = { kind: "signal", signal: 9 };
      const reason = expect.stringMatching(/\bsignal 9\b/);
      expect(await inspect()).toMatchObject({ state: "failed", pid: 0, reason, end });
    });

    it("tells that too when another agent has started it, as far as the kernel tells that agent", async () => {
      if (subject.hasProcesses === false) return;
      handle = await world.driver.start(world.instance, fixture.network, callOptions);
      await world.restartAgent();
      await world.driver.recover(world.instance, handle, callOptions);
      world.events.length = 0;
      subject.kill(handle);
      await eventually(() => expect(eventTypes()).toContain("exited"));
      const [major = 0, minor = 0] = release().split(".").map(Number);
      const tells = subject.kind !== "qemu" || major > 6 || (major === 6 && minor >= 15);
      const reason = expect.stringMatching(tells ? /\bsignal 9\b/ : /nobody saw how/);
      expect(await inspect()).toMatchObject({ state: "failed", pid: 0, reason });
    });

    it("is destroyed, twice, and leaves nothing that create or start made", async () => {
      await writeFile(join(world.instance.directory, "kept"), "");
      await world.driver.destroy(world.instance, callOptions);
      await world.driver.destroy(world.instance, callOptions);
      expect(await readdir(world.instance.directory)).toEqual(["kept"]);
    });
  });
}

import { createHash, randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, ExecOutput, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { converse } from "../../helpers/in-guest-server.js";
import { eventually } from "../../helpers/eventually.js";
import { leftNetns } from "../../helpers/netns.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "./machine-fixture.js";

describe("commands in a machine", () => {
  let fixture: MachineFixture;
  let instance: DriverInstance;
  let handle: RecoveryHandle;

  const outputs = (script: string, signal: AbortSignal = callOptions.signal, stdin?: AsyncIterable<Uint8Array>) => {
    const command = { command: ["sh", "-c", script], environment: {}, tty: false, columns: 80, rows: 24, stdin };
    return fixture.driver.exec(instance, handle, command, { signal });
  };
  const textOf = (parts: readonly ExecOutput[], type: "stdout" | "stderr") =>
    Buffer.concat(parts.flatMap((part) => (part.type === type ? [part.data] : [])));
  const killing = (pattern: string) => `kill -KILL $(ps | awk '$0 ~ "${pattern}" { print $1 }')`;
  const shell = (script: string) => fixture.shell(instance, handle, script);

  beforeAll(async () => {
    fixture = await makeMachineFixture();
    instance = await fixture.create({ kernel: "micro" });
    handle = await fixture.start(instance);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  it("give all of their output, however much, in a guest that has little memory left", async () => {
    // 12 MiB used to be cut to 4, or to end the guest agent.
    await shell("dd if=/dev/zero of=/run/ballast bs=1M count=16; dd if=/dev/urandom of=/tmp/noise bs=1M count=12");
    const wanted = await shell("sha256sum < /tmp/noise");
    const hash = createHash("sha256");
    let largest = 0;
    for await (const part of outputs("cat /tmp/noise; exit 3")) {
      if (part.type === "stdout") {
        hash.update(part.data);
        largest = Math.max(largest, part.data.length);
      }
      if (part.type === "exit") expect(part).toEqual({ type: "exit", code: 3, signal: 0, truncated: false });
    }
    expect(hash.digest("hex")).toBe(wanted.split(" ")[0]);
    // A piece, and what was held back of the one before because it might have begun the mark.
    expect(largest).toBeLessThan(65_536 + 32);
    await shell("rm /run/ballast /tmp/noise");
  });

  it("give output while they run, and both kinds apart", async () => {
    const parts: ExecOutput[] = [];
    for await (const part of outputs(
      "echo first; echo odd >&2; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo last",
    )) {
      parts.push(part);
      // It goes on only when its first words have been read here.
      if (textOf(parts, "stdout").toString() === "first\n" && textOf(parts, "stderr").length > 0)
        await shell("touch /tmp/go");
    }
    expect(textOf(parts, "stdout").toString()).toBe("first\nlast\n");
    expect(textOf(parts, "stderr").toString()).toBe("odd\n");
    expect(parts.at(-1)).toMatchObject({ type: "exit", code: 0, truncated: false });
  });

  it("may list what gives their output, which is not taken for the end of it", async () => {
    const parts = await Array.fromAsync(
      outputs("ls -d /run/zor-*; ps; cat /proc/[0-9]*/cmdline | tr -d '\\0'; env; echo last"),
    );
    expect(textOf(parts, "stdout").toString()).toMatch(/last\n$/);
  });

  it.each([
    ["exit 42", 42, 0],
    ["kill -KILL $$", 137, 9],
    ["exec /no/such/program", 127, 0],
  ])("tell how %j ended", async (script, code, signal) => {
    const parts = await Array.fromAsync(outputs(script));
    expect(parts.at(-1)).toEqual({ type: "exit", code, signal, truncated: false });
    expect(textOf(parts, "stderr").toString()).not.toMatch(/killed/i);
  });

  it("end when what they started in the background holds their output open", async () => {
    const parts = await Array.fromAsync(outputs("sleep 4712 & echo done"));
    expect(textOf(parts, "stdout").toString()).toBe("done\n");
    // It was sent into the background, and stays there.
    expect(await shell("ps")).toContain("sleep 4712");
    await shell(killing("sleep 471[2]"));
  });

  it("end with everything they started when their caller goes, but for what has a session of its own", async () => {
    const abort = new AbortController();
    const running = Array.fromAsync(outputs("sleep 4713 & setsid sleep 4714 & sleep 4715", abort.signal));
    running.catch(() => undefined);
    await eventually(async () => expect((await shell("ps")).match(/root +sleep 471[345]$/gm)).toHaveLength(3));
    abort.abort();
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    await eventually(async () =>
      expect((await shell("ps")).match(/(?<=root +)sleep 471\d$/gm)).toEqual(["sleep 4714"]),
    );
    await shell(killing("sleep 471[4]"));
  });

  it("take input and words that no shell reads, and leave nothing behind", async () => {
    const stdin = (async function* () {
      yield Buffer.from("typed");
    })();
    const words = ["$(reboot)", "a 'b' \\ \"c\"", "", "--"];
    const command = { command: ["sh", "-c", 'cat; printf "[%s]" "$@"', "zor", ...words], stdin };
    const rest = { environment: { A: "b c" }, tty: false, columns: 80, rows: 24 };
    const parts = await Array.fromAsync(fixture.driver.exec(instance, handle, { ...command, ...rest }, callOptions));
    expect(textOf(parts, "stdout").toString()).toBe(`typed${words.map((word) => `[${word}]`).join("")}`);
    await eventually(async () => {
      expect((await shell("ls -d /run/zor-* | wc -l")).trim()).toBe("1");
      expect(await shell("ps | grep -c 'root *[s]leep 600'; true")).toBe("0\n");
    });
  });

  it("take input while they run, however much, and tell its end apart from their own", async () => {
    const noise = randomBytes(2 * 1024 * 1024);
    const stdin = (async function* () {
      for (let at = 0; at < noise.length; at += 30_000) yield noise.subarray(at, at + 30_000);
    })();
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of outputs("cat; echo ended >&2; exit 6", undefined, stdin)) {
      if (part.type === "exit") expect(part).toMatchObject({ code: 6, truncated: false });
      if (part.type !== "stdout") continue;
      hash.update(part.data);
      bytes += part.data.length;
    }
    expect(bytes).toBe(noise.length);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(noise).digest("hex"));
  });

  it("answer a dialogue, and hold their writer back while they do not read", async () => {
    const asked = new AsyncQueue<Uint8Array>(4);
    let given = 0;
    const stdin = (async function* () {
      for await (const line of asked) yield line;
      for (; given < 40; given += 1) yield Buffer.alloc(65_536);
    })();
    const running = outputs(
      "read a; echo 1$a; read a; echo 2$a; while [ ! -e /tmp/read ]; do sleep 0.1; done; wc -c",
      undefined,
      stdin,
    );
    asked.push(Buffer.from("x\n"));
    const seen: string[] = [];
    for await (const part of running) {
      if (part.type !== "stdout") continue;
      seen.push(Buffer.from(part.data).toString().trim());
      if (seen.length === 1) asked.push(Buffer.from("y\n"));
      if (seen.length !== 2) continue;
      asked.end();
      await delay(1500);
      // A pipe, a piece under way, a piece that waits, and what made it full.
      expect(given).toBeLessThan(20);
      await shell("touch /tmp/read");
    }
    expect(seen).toEqual(["1x", "2y", String(40 * 65_536)]);
    await shell("rm /tmp/read");
  });

  it("that an agent which was killed ran end when the next one finds the machine", async () => {
    // As the scripts of another agent leave it.
    const left = "mkdir -m 700 /run/zor-00000000aa; echo $$ >/run/zor-00000000aa/h; sleep 4717 & sleep 4718";
    const pid = await fixture.driver.can.detach.execDetached(
      instance,
      handle,
      { command: ["sh", "-c", left], environment: {} },
      callOptions,
    );
    await eventually(async () => expect(await shell("cat /run/zor-00000000aa/h")).toBe(`${pid}\n`));
    const next = await fixture.nextDriver();
    await next.recover(instance, handle, callOptions);
    await eventually(async () =>
      expect(await next.inspect(instance, handle, callOptions)).toMatchObject({ execReady: true }),
    );
    expect(await shell("ps; ls /run")).not.toMatch(/sleep 471[78]|zor-00000000aa/);
  });

  it("run as who and where they are told, with an environment as a login gives", async () => {
    await shell("echo 'ann:x:1004:1005::/home/ann:/bin/sh' >>/etc/passwd; echo 'staff:x:1005:' >>/etc/group");
    const run = async (user: string, directory: string, script: string) => {
      const command = { command: ["sh", "-c", script, "it's"], environment: { A: "b" }, stdin: undefined };
      const rest = { tty: false, columns: 80, rows: 24, user, directory };
      return Array.fromAsync(fixture.driver.exec(instance, handle, { ...command, ...rest }, callOptions));
    };
    const said = async (...how: Parameters<typeof run>) => textOf(await run(...how), "stdout").toString();
    const facts = 'echo "$(id -u) $(id -g) $(pwd) $HOME $USER $A $0"';
    expect(await said("", "", facts)).toBe("0 0 / /root root b it's\n");
    expect(await said("", "/tmp", facts)).toBe("0 0 /tmp /root root b it's\n");
    expect(await said("ann", "/tmp", facts)).toBe("1004 1005 /tmp /home/ann ann b it's\n");
    const unknown = await run("nobody-here", "", facts);
    expect(unknown.at(-1)).toMatchObject({ code: 126 });
    expect(textOf(unknown, "stderr").toString()).toContain("no user nobody-here");
  });

  it("have a terminal of the size they are told, in a guest that can make one", async () => {
    const resizes = new AsyncQueue<{ columns: number; rows: number }>(4);
    const typed = new AsyncQueue<Uint8Array>(4);
    const line = "test -t 0 && test -t 1 && stty size; read a; echo got $a; stty size; exit 5";
    const command = { command: ["sh", "-c", line], environment: {}, tty: true, columns: 91, rows: 33, stdin: typed };
    let text = "";
    for await (const part of fixture.driver.exec(instance, handle, command, { ...callOptions, resizes })) {
      if (part.type === "exit") expect(part.code).toBe(5);
      else text += Buffer.from(part.data).toString();
      if (!/33 91\r\n$/.test(text)) continue;
      resizes.push({ columns: 100, rows: 40 });
      await eventually(async () => expect(await shell("stty -F $(cat /run/zor-*/t) size")).toBe("40 100\n"));
      typed.push(Buffer.from("word\n"));
    }
    expect(text).toMatch(/^33 91\r\nword\r\ngot word\r\n40 100\r\n/);
  });

  it("go on without us when they are detached", async () => {
    const words = { command: ["sh", "-c", "sleep 4719; echo $A >/tmp/left"], environment: { A: "b" } };
    const pid = await fixture.driver.can.detach.execDetached(instance, handle, words, callOptions);
    expect(await shell(`tr '\\0' ' ' </proc/${pid}/cmdline`)).toContain("sleep 4719");
    await eventually(() => shell(`kill $(ps | awk '/sleep 471[9]$/ { print $1; exit }')`));
    await eventually(async () => expect(await shell("cat /tmp/left")).toBe("b\n"));
  });

  it("connect with servers in it, each side ending alone", async () => {
    const serve = ["sh", "-c", "nc -ll -p 7000 -e sh -c 'read a; echo heard $a; cat >/dev/null; echo over'"];
    await fixture.driver.can.detach.execDetached(instance, handle, { command: serve, environment: {} }, callOptions);
    await eventually(async () => expect(await shell("netstat -ltn")).toContain(":7000"));
    const at = { instance, handle };
    const expected = { text: "heard word\nover\n", ended: true };
    expect(await converse(fixture.driver, at, { port: 7000, words: "word\n" })).toEqual(expected);
    await expect(converse(fixture.driver, at, { port: 7001, words: "word\n" })).rejects.toMatchObject({
      reason: "CONNECT_FAILED",
      message: expect.stringContaining("refused"),
    });
  });

  it("tell of a part that is missing when the guest ends what passes it on", async () => {
    const parts: ExecOutput[] = [];
    for await (const part of outputs("echo begun; sleep 4716")) {
      parts.push(part);
      if (part.type === "stdout") void shell(killing("d=.1; a=.{2%-.}[;] b=")).catch(() => undefined);
    }
    expect(parts.at(-1)).toEqual({ type: "exit", code: 137, signal: 9, truncated: true });
    await eventually(async () => expect(await shell("ps")).not.toContain("sleep 4716"));
  });

  it("are given as a whole, up to what the guest agent keeps, by a guest without the tools for more", async () => {
    await shell("mv /bin/mkfifo /bin/mkfifo.away");
    const parts = await Array.fromAsync(outputs("dd if=/dev/zero bs=1M count=5 2>/dev/null; exit 4"));
    await shell("mv /bin/mkfifo.away /bin/mkfifo");
    expect(textOf(parts, "stdout").length).toBe(5 * 1024 * 1024);
    expect(parts.at(-1)).toEqual({ type: "exit", code: 4, signal: 0, truncated: false });
  });

  it("are refused when no guest agent answers, and when the machine is paused", async () => {
    const refusal = async () => await Array.fromAsync(outputs("true")).catch((thrown: unknown) => thrown);
    await fixture.driver.pause(instance, handle, callOptions);
    expect(await refusal()).toMatchObject({ reason: "INSTANCE_PAUSED" });
    await fixture.driver.resume(instance, handle, callOptions);
    const mute = `rm /usr/sbin/qemu-ga; (sleep 0.5; ${killing("/usr/sbin/qemu-g[a]")}) >/dev/null 2>&1 &`;
    // On a busy machine the agent ends before it has told the end of this.
    await shell(mute).catch(() => undefined);
    await eventually(async () =>
      expect(await fixture.driver.inspect(instance, handle, callOptions)).toMatchObject({ execReady: false }),
    );
    expect(await refusal()).toMatchObject({
      reason: "GUEST_AGENT_NOT_READY",
      message: expect.stringMatching(/it was started \d+ s ago/),
    });
  });
});

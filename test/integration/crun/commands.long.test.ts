import { createHash } from "node:crypto";
import { utimes, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance, ExecOutput, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { isAlive } from "../../../lib/process.js";
import { converse } from "../../helpers/in-guest-server.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { all, CrunFixture, callOptions, textOf, toCommand } from "./fixture.js";

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

describe("commands in a container", () => {
  it("end with 128 + n and n when signal n ended them", async () => {
    const { instance, handle } = await sleeping();
    const [last] = (
      await all(world.driver.exec(instance, handle, toCommand(["sh", "-c", "kill -9 $$"]), callOptions))
    ).slice(-1);
    expect(last).toEqual({ type: "exit", code: 137, signal: 9, truncated: false });
  });

  it("lose none of a large output to a slow reader", async () => {
    const { instance, handle } = await sleeping();
    const command = toCommand(["sh", "-c", "yes 0123456789 | head -c 8000000"]);
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const output of world.driver.exec(instance, handle, command, callOptions)) {
      if (output.type === "exit") expect(output.code).toBe(0);
      else {
        hash.update(output.data);
        bytes += output.data.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    expect(bytes).toBe(8_000_000);
    const line = "0123456789\n";
    const expected = createHash("sha256").update(line.repeat(Math.ceil(8_000_000 / line.length)).slice(0, 8_000_000));
    expect(hash.digest("hex")).toBe(expected.digest("hex"));
  });

  it("run as who and where they are told, with an environment as a login gives", async () => {
    const { instance, handle } = await sleeping();
    await world.shell(
      instance,
      handle,
      "echo 'ann:x:1004:1005::/home/ann:/bin/sh' >>/etc/passwd; echo 'staff:x:1009:bob,ann' >>/etc/group",
    );
    const said = async (user: string, directory: string) => {
      const line = 'echo "$(id -u) $(id -g) $(id -G) $(pwd) $HOME $USER $A"';
      const command = toCommand(["sh", "-c", line], { user, directory, environment: { A: "b" } });
      return textOf(await all(world.driver.exec(instance, handle, command, callOptions)));
    };
    expect(await said("", "")).toBe("0 0 0 / /root root b\n");
    expect(await said("ann", "/tmp")).toBe("1004 1005 1005 1009 /tmp /home/ann ann b\n");
    expect(await said("ann:staff", "/tmp")).toBe("1004 1009 1009 /tmp /home/ann ann b\n");
    expect(await said("77:88", "")).toBe("77 88 88 / / 77 b\n");
    await expect(said("nobody-here", "")).rejects.toMatchObject({ reason: "NO_SUCH_USER" });
    await expect(said("ann:nowhere", "")).rejects.toMatchObject({ reason: "NO_SUCH_GROUP" });
  });

  it("take accounts from no file but the container's own", async () => {
    const { instance, handle } = await sleeping();
    await world.shell(instance, handle, "rm /etc/passwd; ln -s ../../../../../../etc/passwd /etc/passwd");
    const as = (user: string) => all(world.driver.exec(instance, handle, toCommand(["id"], { user }), callOptions));
    // In the container the link leads to itself; on the host it would lead to a file that has daemon.
    await expect(as("daemon")).rejects.toMatchObject({ reason: "NO_SUCH_USER" });
    await world.shell(instance, handle, "rm /etc/passwd; mkfifo /etc/passwd");
    await expect(as("daemon")).rejects.toMatchObject({ reason: "NO_SUCH_USER" });
  });

  it("go on without us when they are detached", async () => {
    const { instance, handle } = await sleeping();
    const { detach } = world.driver.can;
    const pid = await detach.execDetached(
      instance,
      handle,
      { command: ["sh", "-c", "sleep 7710; echo $A >/left"], environment: { A: "b" } },
      callOptions,
    );
    await eventually(async () => expect(await sleeps(instance, handle)).toEqual(["7710"]));
    await world.nextDriver().recover(instance, handle);
    expect(await world.shell(instance, handle, `tr '\\0' ' ' </proc/${pid}/cmdline`)).toContain("sleep 7710");
    const ended =
      "kill $(ps -o pid,args | awk '/sleep 771[0]$/ { print $1 }'); while [ ! -s /left ]; do sleep 0.1; done; cat /left";
    expect(await world.shell(instance, handle, ended)).toBe("b\n");
    const missing = { command: ["/no/such/program"], environment: {} };
    await expect(detach.execDetached(instance, handle, missing, callOptions)).rejects.toMatchObject({
      reason: "NOT_STARTED",
    });
  });

  it("have servers that are connected with, each side ending alone, and none of the host's", async () => {
    const at = await sleeping();
    const line = "nc -ll -p 7000 -e sh -c 'read a; echo heard $a; cat >/dev/null; echo over'";
    const { detach } = world.driver.can;
    await detach.execDetached(at.instance, at.handle, { command: ["sh", "-c", line], environment: {} }, callOptions);
    await eventually(async () => expect(await world.shell(at.instance, at.handle, "netstat -ltn")).toContain(":7000"));
    const expected = { text: "heard word\nover\n", ended: true };
    expect(await converse(world.driver, at, { port: 7000, words: "word\n" })).toEqual(expected);
    await using server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    for (const address of ["127.0.0.1", "::1"]) {
      await expect(converse(world.driver, at, { port, words: "", address })).rejects.toMatchObject({
        reason: "CONNECT_FAILED",
        message: expect.stringContaining("nobody listens there"),
      });
    }
    await expect(converse(world.driver, at, { port, words: "", address: "192.0.2.1" })).rejects.toMatchObject({
      message: expect.stringContaining("no way to that address"),
    });
  });

  it("return when they end, though something they left behind holds their output", async () => {
    const { instance, handle } = await sleeping();
    const command = toCommand(["sh", "-c", "sleep 500 & echo done"]);
    const outputs = await all(world.driver.exec(instance, handle, command, callOptions));
    expect(outputs.at(-1)).toMatchObject({ type: "exit", code: 0 });
    expect(textOf(outputs)).toBe("done\n");
  });

  it("leave nothing behind when they are given up at whatever moment of their start", async () => {
    const { instance, handle } = await sleeping();
    for (let delayMs = 0; delayMs < 100; delayMs += 10) {
      const signal = AbortSignal.timeout(delayMs);
      // Some are refused, others end: only what they leave counts.
      await all(world.driver.exec(instance, handle, toCommand(["sleep", "7777"]), { signal })).catch(() => undefined);
    }
    expect(await world.shell(instance, handle, "ps")).not.toContain("sleep 7777");
  });

  it.each([false, true])(
    "end with all they began when their client goes, but for what left their session; tty %s",
    async (tty) => {
      const { instance, handle } = await sleeping();
      const line =
        "sleep 7701 & (sleep 7702 & sleep 7703) & setsid sleep 7704 & sleep 7705 >/dev/null & echo begun; sleep 7706";
      const client = new AbortController();
      const command = toCommand(["sh", "-c", line], { tty, columns: 80, rows: 24 });
      const outputs = world.driver.exec(instance, handle, command, { signal: client.signal });
      expect(textOf([(await outputs.next()).value])).toMatch(/^begun/);
      await eventually(async () => expect(await sleeps(instance, handle)).toHaveLength(6));
      client.abort();
      await all(outputs).catch(() => undefined);
      expect(await sleeps(instance, handle)).toEqual(["7704"]);
    },
  );

  it("end though they fork for ever", async () => {
    const { instance, handle } = await sleeping();
    const client = new AbortController();
    const bomb = "f() { f & f; }; echo begun; sleep 0.2; f & while :; do f & done";
    const outputs = world.driver.exec(instance, handle, toCommand(["sh", "-c", bomb]), { signal: client.signal });
    await outputs.next();
    client.abort();
    await all(outputs).catch(() => undefined);
    expect(await world.shell(instance, handle, "ps -o args | grep -c '[b]egun'; true")).toBe("0\n");
  });

  it("that an agent which was killed ran end when the next one finds the container", async () => {
    const { instance, handle } = await sleeping();
    const line = "echo begun; sleep 7707 & sleep 7708";
    const outputs = world.driver.exec(instance, handle, toCommand(["sh", "-c", line]), callOptions);
    await outputs.next();
    await eventually(async () => expect(await sleeps(instance, handle)).toEqual(["7707", "7708"]));
    // A pid that was told long before the process with that pid began was another's.
    const reused = join(instance.directory, "exec-0123456789ab.pid");
    await writeFile(reused, String(handle.pid));
    await utimes(reused, 1, 1);
    await world.nextDriver().recover(instance, handle);
    expect(await sleeps(instance, handle)).toEqual([]);
    expect(await isAlive(handle)).toBe(true);
    await all(outputs);
  });

  it("have a terminal of the size that was asked for, follow its changes, and take input", async () => {
    const { instance, handle } = await sleeping();
    const stdin = new AsyncQueue<Uint8Array>(16);
    const resizes = new AsyncQueue<{ columns: number; rows: number }>(16);
    const command = toCommand(
      [
        "sh",
        "-c",
        "until stty size 2>/dev/null | grep .; do sleep 0.05; done; tty; read a; stty size; echo got:$a; read b",
      ],
      {
        tty: true,
        columns: 77,
        rows: 22,
        stdin,
      },
    );
    let text = "";
    let typed = false;
    let exit: ExecOutput | undefined;
    for await (const output of world.driver.exec(instance, handle, command, { ...callOptions, resizes })) {
      if (output.type === "exit") exit = output;
      else text += Buffer.from(output.data).toString();
      if (!typed && text.includes("/dev/pts/")) {
        typed = true;
        resizes.push({ columns: 101, rows: 33 });
        await eventually(async () => {
          const sizes = await world.shell(
            instance,
            handle,
            "for t in /dev/pts/[0-9]*; do stty size -F $t 2>/dev/null || stty -F $t size; done",
          );
          expect(sizes).toContain("33 101");
        });
        stdin.push(Buffer.from("hello\n"));
        stdin.end();
      }
    }
    expect(text).toContain("22 77\r\n");
    expect(text).toContain("33 101\r\n");
    expect(text).toContain("got:hello\r\n");
    expect(exit).toMatchObject({ type: "exit" });
  });

  /** Times of the "sleep 77..." that run in the container. */
  async function sleeps(instance: DriverInstance, handle: RecoveryHandle): Promise<readonly string[]> {
    const text = await world.shell(instance, handle, "ps -o args");
    return [...text.matchAll(/^sleep (77\d\d)$/gm)].map(([, time = ""]) => time).sort();
  }

  async function sleeping() {
    const instance = await world.create({ command: ["/bin/sleep", "1000"] });
    return { instance, handle: await world.start(instance) };
  }
});

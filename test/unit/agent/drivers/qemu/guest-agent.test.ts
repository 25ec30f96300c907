import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExecOutput } from "../../../../../agent/drivers/driver.js";
import { GuestAgent } from "../../../../../agent/drivers/qemu/guest-agent.js";
import { guestExec } from "../../../../../agent/drivers/qemu/guest-exec.js";
import { connectPeer, type ScriptedPeer } from "../../../../fakes/qmp-peer.js";

const options = { resource: "instances/vm1", timeoutMs: 5000 };
const sentinel = Buffer.of(0xff);

describe("a guest agent client", () => {
  let peer: ScriptedPeer;
  beforeEach(async () => {
    peer = await connectPeer();
  });
  afterEach(() => peer[Symbol.asyncDispose]());

  async function answerSync(): Promise<void> {
    const command = await peer.nextCommand();
    expect(command).toMatchObject({ execute: "guest-sync-delimited", arguments: { id: expect.any(Number) } });
    const { id } = command["arguments"] as { id: number };
    peer.send(sentinel);
    peer.sendJson({ return: id });
  }

  async function openAgent(): Promise<GuestAgent> {
    const opening = GuestAgent.open(peer.socket, options);
    await answerSync();
    return await opening;
  }

  it("begins with the byte that makes the agent forget half a command", async () => {
    await openAgent();
    expect(peer.received()[0]).toBe(0xff);
  });

  it("skips what was left for an earlier client, complaints and other synchronisations", async () => {
    const opening = GuestAgent.open(peer.socket, options);
    const { arguments: args } = (await peer.nextCommand()) as { arguments: { id: number } };
    peer.send('{"return": {"pid": 1}}\nhalf a li');
    peer.sendJson({ error: { class: "GenericError", desc: "JSON parse error" } });
    peer.send(Buffer.concat([sentinel, Buffer.from(`{"return": ${args.id + 1}}\n`)]));
    peer.send(Buffer.concat([sentinel, Buffer.from(`{"return": ${args.id}}\n`)]));
    await expect(opening).resolves.toBeInstanceOf(GuestAgent);
  });

  it("runs commands one at a time", async () => {
    const agent = await openAgent();
    const results = Promise.all([agent.execute("a", {}, 5000), agent.execute("b", {}, 5000)]);
    expect(await peer.nextCommand()).toMatchObject({ execute: "a" });
    expect(peer.received().toString("latin1")).not.toContain('"b"');
    peer.sendJson({ return: 1 });
    expect(await peer.nextCommand()).toMatchObject({ execute: "b" });
    peer.sendJson({ return: 2 });
    expect(await results).toEqual([1, 2]);
  });

  it("tells the guest's words when it refuses, and goes on", async () => {
    const agent = await openAgent();
    const refused = agent.execute("guest-exec", {}, 5000);
    await peer.nextCommand();
    peer.sendJson({ error: { class: "GenericError", desc: "Failed to execute child process" } });
    await expect(refused).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("Failed to execute"),
    });
    const next = agent.execute("guest-ping", {}, 5000);
    await peer.nextCommand();
    peer.sendJson({ return: {} });
    await expect(next).resolves.toEqual({});
  });

  it("synchronises again after an answer that was late, since that would be taken for the next", async () => {
    const agent = await openAgent();
    await expect(agent.execute("guest-ping", {}, 20)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await peer.nextCommand();
    const next = agent.execute("guest-info", {}, 5000);
    peer.sendJson({ return: "late" });
    await answerSync();
    expect(await peer.nextCommand()).toMatchObject({ execute: "guest-info" });
    peer.sendJson({ return: "its own" });
    await expect(next).resolves.toBe("its own");
    expect(agent.isClosed).toBe(false);
  });

  it("closes a connection on which nobody synchronises at first", async () => {
    await expect(GuestAgent.open(peer.socket, { ...options, timeoutMs: 20 })).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    expect(peer.socket.destroyed).toBe(true);
  });

  it("synchronises again after a command that has no answer", async () => {
    const agent = await openAgent();
    await agent.send("guest-shutdown", { mode: "powerdown" });
    expect(await peer.nextCommand()).toMatchObject({ execute: "guest-shutdown" });
    peer.sendJson({ error: { desc: "still here" } });
    const next = agent.execute("guest-ping", {}, 5000);
    await answerSync();
    await peer.nextCommand();
    peer.sendJson({ return: {} });
    await expect(next).resolves.toEqual({});
  });

  it.each([
    ["what is not JSON", Buffer.from("not json\n")],
    ["what is no object", Buffer.from("[]\n")],
    ["a line without an end", Buffer.alloc(49 * 1024 * 1024, "x")],
  ])("gives up the answer when the guest sends %s, and no other", async (_what, data) => {
    const agent = await openAgent();
    const waiting = agent.execute("guest-ping", {}, 5000);
    await peer.nextCommand();
    peer.send(data);
    await expect(waiting).rejects.toMatchObject({ code: status.UNAVAILABLE });
    const next = agent.execute("guest-info", {}, 5000);
    await answerSync();
    await peer.nextCommand();
    peer.sendJson({ return: 1 });
    await expect(next).resolves.toBe(1);
  });

  describe("running a command", () => {
    const command = { command: ["ls", "-l"], environment: {}, tty: false, columns: 80, rows: 24, stdin: undefined };
    const execOptions = { signal: new AbortController().signal, resource: "instances/vm1" };

    async function collect(outputs: AsyncIterable<ExecOutput>): Promise<ExecOutput[]> {
      return await Array.fromAsync(outputs);
    }

    /** A guest without a shell. */
    async function refuseShell(): Promise<Record<string, unknown>> {
      const request = await peer.nextCommand();
      expect(request).toMatchObject({ execute: "guest-exec", arguments: { path: "/bin/sh", "capture-output": false } });
      peer.sendJson({ error: { class: "GenericError", desc: "Failed to execute child process" } });
      return request;
    }

    it("passes arguments apart, polls until the end and decodes both outputs, where there is no shell", async () => {
      const agent = await openAgent();
      const running = collect(guestExec(agent, command, execOptions));
      await refuseShell();
      expect(await peer.nextCommand()).toEqual({
        execute: "guest-exec",
        arguments: { path: "ls", arg: ["-l"], "capture-output": true },
      });
      peer.sendJson({ return: { pid: 42 } });
      expect(await peer.nextCommand()).toMatchObject({ execute: "guest-exec-status", arguments: { pid: 42 } });
      peer.sendJson({ return: { exited: false } });
      await peer.nextCommand();
      const outputs = {
        "out-data": Buffer.from("out").toString("base64"),
        "err-data": Buffer.from("err").toString("base64"),
      };
      peer.sendJson({ return: { exited: true, exitcode: 3, "out-truncated": true, ...outputs } });
      expect(await running).toEqual([
        { type: "stdout", data: Buffer.from("out") },
        { type: "stderr", data: Buffer.from("err") },
        { type: "exit", code: 3, signal: 0, truncated: true },
      ]);
    });

    it("tells of a signal as a shell does, where there is no shell", async () => {
      const agent = await openAgent();
      const running = collect(guestExec(agent, command, execOptions));
      await refuseShell();
      await peer.nextCommand();
      peer.sendJson({ return: { pid: 42 } });
      await peer.nextCommand();
      peer.sendJson({ return: { exited: true, signal: 9 } });
      expect(await running).toEqual([{ type: "exit", code: 137, signal: 9, truncated: false }]);
    });

    it("adds a search path to an environment, which replaces the agent's", async () => {
      const agent = await openAgent();
      const running = collect(guestExec(agent, { ...command, environment: { A: "b" } }, execOptions));
      const env = [expect.stringMatching(/^PATH=/), "A=b"];
      const login = ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh"];
      expect(await refuseShell()).toMatchObject({ arguments: { env: [env[0], ...login, env[1]] } });
      expect(await peer.nextCommand()).toMatchObject({ arguments: { env } });
      peer.hangUp();
      await expect(running).rejects.toMatchObject({ code: status.UNAVAILABLE });
    });

    it("takes no more input than the agent can", async () => {
      const agent = await openAgent();
      const stdin = (async function* () {
        for (let sent = 0; sent < 20; sent += 1) yield Buffer.alloc(100_000);
      })();
      const running = collect(guestExec(agent, { ...command, stdin }, execOptions));
      running.catch(() => undefined);
      await refuseShell();
      await expect(running).rejects.toMatchObject({
        code: status.RESOURCE_EXHAUSTED,
      });
    });

    it("refuses a terminal and an empty command", async () => {
      const agent = await openAgent();
      const running = collect(guestExec(agent, { ...command, tty: true }, execOptions));
      running.catch(() => undefined);
      await refuseShell();
      await expect(running).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
      });
      await expect(collect(guestExec(agent, { ...command, command: [] }, execOptions))).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
      });
    });
  });
});

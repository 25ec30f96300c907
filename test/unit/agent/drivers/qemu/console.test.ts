import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConsoleLog } from "../../../../../agent/drivers/qemu/console-log.js";
import { ConsoleMux } from "../../../../../agent/drivers/qemu/console-mux.js";
import { connectPeer, type ScriptedPeer } from "../../../../fakes/qmp-peer.js";
import { eventually } from "../../../../helpers/eventually.js";

const keptBytes = 64 * 1024;

describe("a serial console", () => {
  let directory: string;
  let peer: ScriptedPeer;
  let log: ConsoleLog;
  let mux: ConsoleMux;
  const file = () => join(directory, "console.log");

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zt-"));
    peer = await connectPeer();
    log = await ConsoleLog.open(file());
    mux = new ConsoleMux("instances/vm1", log, () => undefined);
    mux.attach(peer.socket);
  });
  afterEach(async () => {
    mux.close();
    await log.flush();
    await peer[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it("gives all readers all output, and ends them when it ends", async () => {
    const readers = [mux.open(0), mux.open(0)];
    const reading = readers.map((reader) => Array.fromAsync(reader.output));
    peer.send("hello");
    await eventually(() => expect(log.recent(5).toString()).toBe("hello"));
    mux.close();
    const outputs = (await Promise.all(reading)).map((chunks) => Buffer.concat(chunks).toString());
    expect(outputs).toEqual(["hello", "hello"]);
  });

  it("passes input on", async () => {
    await mux.open(0).write(Buffer.from("typed"));
    await eventually(() => expect(peer.received().toString()).toBe("typed"));
  });

  it("fails writes when QEMU has hung up", async () => {
    peer.hangUp();
    await eventually(() => expect(mux.isConnected).toBe(false));
    await expect(mux.open(0).write(Buffer.from("x"))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it("holds little of the input that a machine does not take, however many send it", async () => {
    peer.stopReading();
    const input = Buffer.alloc(1024 * 1024);
    for (let turn = 0; turn < 20; turn += 1) {
      const console = mux.open(0);
      const writing = console.write(input);
      await console.close();
      await writing;
    }
    expect(peer.socket.writableLength).toBeLessThan(512 * 1024);
    for (let turn = 0; turn < 200; turn += 1)
      void mux
        .open(0)
        .write(Buffer.alloc(4096))
        .catch(() => undefined);
    await expect(mux.open(0).write(input)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("cuts off a reader that does not keep up, and no other", async () => {
    const slow = mux.open(0);
    const fast = mux.open(0);
    let received = 0;
    const reading = (async () => {
      for await (const chunk of fast.output) received += chunk.length;
    })();
    const total = 3 * 1024 * 1024;
    for (let sent = 0; sent < total; sent += keptBytes) peer.send(Buffer.alloc(keptBytes, "x"));
    await eventually(() => expect(received).toBe(total));
    await fast.close();
    await reading;
    await expect(Array.fromAsync(slow.output)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("replays no more than asked for and no more than is kept", async () => {
    peer.send(Buffer.concat([Buffer.alloc(3 * keptBytes, "a"), Buffer.from("end")]));
    await eventually(() => expect(log.recent(3).toString()).toBe("end"));
    const read = async (bytes: number) => {
      const reader = mux.open(bytes);
      await reader.close();
      expect(await Array.fromAsync(reader.output)).toEqual([]);
      return Buffer.from(reader.replay);
    };
    expect((await read(5)).toString()).toBe("aaend");
    expect(await read(10 * keptBytes)).toHaveLength(keptBytes);
    expect(await read(0)).toHaveLength(0);
  });

  it("keeps its recent output over a restart of the agent", async () => {
    peer.send("before");
    await eventually(() => expect(log.recent(6).toString()).toBe("before"));
    await log.flush();
    expect((await ConsoleLog.open(file())).recent(keptBytes).toString()).toBe("before");
  });

  it("bounds its file, which holds the latest", async () => {
    for (let round = 0; round < 20; round += 1) {
      log.append(Buffer.alloc(keptBytes, round));
      await log.flush();
    }
    expect((await stat(file())).size).toBeLessThanOrEqual(4 * keptBytes);
    expect((await readFile(file())).at(-1)).toBe(19);
  });

  it("forgets the last run when a new one begins", async () => {
    await writeFile(file(), "old");
    const reopened = await ConsoleLog.open(file());
    await reopened.clear();
    expect(reopened.recent(keptBytes)).toHaveLength(0);
    expect((await ConsoleLog.open(file())).recent(keptBytes)).toHaveLength(0);
  });

  it("survives a disk that cannot be written", async () => {
    const broken = await ConsoleLog.open(join(directory, "no", "such", "directory"));
    broken.append(Buffer.from("still here"));
    await broken.flush();
    expect(broken.recent(100).toString()).toBe("still here");
  });
});

import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogPosition } from "../../../../../lib/logs/open-log.js";
import { ConsoleMux } from "../../../../../agent/drivers/qemu/console-mux.js";
import { connectPeer, type ScriptedPeer } from "../../../../fakes/qmp-peer.js";
import { eventually } from "../../../../helpers/eventually.js";

const keptBytes = 64 * 1024;

describe("a serial console", () => {
  let peer: ScriptedPeer;
  let mux: ConsoleMux;
  let at: number;
  const say = (text: string | Buffer): void => {
    const data = Buffer.from(text);
    mux.hear({ type: "piece", at, timeMs: Date.now(), data });
    at += data.length;
  };
  const open = (replayBytes = 0, resume?: LogPosition) => mux.open({ replayBytes, resume });

  beforeEach(async () => {
    peer = await connectPeer();
    mux = new ConsoleMux("instances/vm1", () => undefined);
    at = 0;
    mux.hear({ type: "opened", log: "1", at });
    mux.attach(peer.socket);
  });
  afterEach(async () => {
    mux.close();
    await peer[Symbol.asyncDispose]();
  });

  it("gives all readers all output, and ends them when it ends", async () => {
    const readers = [open(), open()];
    const reading = readers.map((reader) => Array.fromAsync(reader.output));
    say("hello");
    mux.close();
    const outputs = (await Promise.all(reading)).map((chunks) => Buffer.concat(chunks).toString());
    expect(outputs).toEqual(["hello", "hello"]);
  });

  it("passes input on", async () => {
    await open().write(Buffer.from("typed"));
    await eventually(() => expect(peer.received().toString()).toBe("typed"));
  });

  it("fails writes when QEMU has hung up", async () => {
    peer.hangUp();
    await eventually(() => expect(mux.isConnected).toBe(false));
    await expect(open().write(Buffer.from("x"))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  it("holds little of the input that a machine does not take, however many send it", async () => {
    peer.stopReading();
    const input = Buffer.alloc(1024 * 1024);
    for (let turn = 0; turn < 20; turn += 1) {
      const console = open();
      const writing = console.write(input);
      await console.close();
      await writing;
    }
    expect(peer.socket.writableLength).toBeLessThan(512 * 1024);
    for (let turn = 0; turn < 200; turn += 1)
      void open()
        .write(Buffer.alloc(4096))
        .catch(() => undefined);
    await expect(open().write(input)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("cuts off a reader that does not keep up, and no other", async () => {
    const slow = open();
    const fast = open();
    let received = 0;
    const reading = (async () => {
      for await (const chunk of fast.output) received += chunk.length;
    })();
    const total = 3 * 1024 * 1024;
    for (let sent = 0; sent < total; sent += keptBytes) {
      say(Buffer.alloc(keptBytes, "x"));
      await eventually(() => expect(received).toBe(sent + keptBytes));
    }
    await fast.close();
    await reading;
    await expect(Array.fromAsync(slow.output)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("replays no more than asked for and no more than is kept", async () => {
    say(Buffer.concat([Buffer.alloc(3 * keptBytes, "a"), Buffer.from("end")]));
    const read = async (bytes: number) => {
      const reader = open(bytes);
      await reader.close();
      expect(await Array.fromAsync(reader.output)).toEqual([]);
      return Buffer.from(reader.replay);
    };
    expect((await read(5)).toString()).toBe("aaend");
    expect(await read(10 * keptBytes)).toHaveLength(keptBytes);
    expect(await read(0)).toHaveLength(0);
  });

  it("goes on where a reader was, without a byte twice, and says when not all is there any more", async () => {
    say("one two ");
    const replayed = (resume: LogPosition) => {
      const { replay, isMissing } = open(0, resume);
      return { replay: Buffer.from(replay).toString(), isMissing };
    };
    expect(replayed({ log: "1", at: 4 })).toEqual({ replay: "two ", isMissing: false });
    expect(replayed({ log: "2", at: 4 })).toEqual({ replay: "", isMissing: true });
    // The connection to the pump was made again: it tells once more what it has kept.
    mux.hear({ type: "opened", log: "1", at: 0 });
    mux.hear({ type: "piece", at: 0, timeMs: 0, data: Buffer.from("one two three") });
    expect(replayed({ log: "1", at: 8 })).toEqual({ replay: "three", isMissing: false });
    at = 13;
    const reader = open();
    say(" four");
    await reader.close();
    expect(Buffer.concat(await Array.fromAsync(reader.output)).toString()).toBe(" four");
    expect(reader.position?.()).toEqual({ log: "1", at: 18 });
    say(Buffer.alloc(3 * keptBytes, "a"));
    expect(replayed({ log: "1", at: 4 }).isMissing).toBe(true);
  });
});

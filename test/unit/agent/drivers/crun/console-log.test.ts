import { appendFile, mkdtemp, readdir, readlink, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConsoleLogDecoder, ConsoleReader } from "../../../../../agent/drivers/crun/console-log.js";

const time = "2026-11-20T05:25:18.250596552+00:00";

/** The log that conmon writes for these pieces of terminal output. */
function toLog(pieces: readonly Buffer[]): Buffer {
  const entries = pieces.flatMap((piece) => {
    const lines = piece.toString("latin1").split("\n");
    const last = lines.pop() ?? "";
    const full = lines.map((text) => `${time} stdout F ${text}\n`);
    return last === "" ? full : [...full, `${time} stdout P ${last}\n`];
  });
  return Buffer.from(entries.join(""), "latin1");
}

describe("ConsoleLogDecoder", () => {
  const push = (decoder: ConsoleLogDecoder, data: Buffer): Buffer =>
    Buffer.concat(decoder.push({ data, end: { file: "1", at: 0 }, isNew: false }).map((part) => part.data));

  it("gives back the bytes of the terminal, however the log is cut", () => {
    const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
        const log = toLog(pieces);
        const decoder = new ConsoleLogDecoder();
        const decoded: Buffer[] = [];
        for (let at = 0; at < log.length; at += size) decoded.push(push(decoder, log.subarray(at, at + size)));
        expect(Buffer.concat(decoded)).toEqual(Buffer.concat(pieces));
      }),
    );
  });

  it("does not keep an entry without end", () => {
    const decoder = new ConsoleLogDecoder();
    for (let turn = 0; turn < 100; turn += 1) push(decoder, Buffer.alloc(10_000, "x"));
    expect(push(decoder, toLog([Buffer.from("\nhello\n")])).toString()).toContain("hello\n");
  });
});

describe("ConsoleReader", () => {
  let directory = "";
  let path = "";
  let closing = new AbortController();

  beforeEach(async () => {
    closing = new AbortController();
    directory = await mkdtemp(join(tmpdir(), "zt-log-"));
    path = join(directory, "log");
  });

  afterEach(async () => {
    closing.abort();
    await expect.poll(filesOpen).toEqual([]);
    await rm(directory, { recursive: true });
  });

  /** The files below the directory that this process has open. */
  async function filesOpen(): Promise<string[]> {
    const names = await readdir("/proc/self/fd");
    const paths = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
    return paths.filter((each) => each.startsWith(directory));
  }

  const append = (text: string) => appendFile(path, toLog([Buffer.from(text)]));
  const take = async (reader: ConsoleReader) => Buffer.from((await reader.next()).value ?? []).toString();

  it("gives the recent past, then what is written, then the end", async () => {
    await append("one\ntwo\n");
    let ended = false;
    const reader = await ConsoleReader.open({
      path,
      replayBytes: 4,
      hasEnded: async () => ended,
      signal: closing.signal,
    });
    expect(reader.replay.toString()).toBe("two\n");
    const next = take(reader);
    await append("three");
    expect(await next).toBe("three");
    await append("four\n");
    ended = true;
    expect(await take(reader)).toBe("four\n");
    expect(await reader.next()).toMatchObject({ done: true });
  });

  it("gives only what is written from its opening on when no past is wanted", async () => {
    await append("past\n");
    const reader = await ConsoleReader.open({
      path,
      replayBytes: 0,
      hasEnded: async () => false,
      signal: closing.signal,
    });
    expect(reader.replay).toHaveLength(0);
    await append("future\n");
    expect(await take(reader)).toBe("future\n");
  });

  it("goes over to the new file when a full one is replaced", async () => {
    await append("old\n");
    const reader = await ConsoleReader.open({
      path,
      replayBytes: 100,
      hasEnded: async () => false,
      signal: closing.signal,
    });
    expect(reader.replay.toString()).toBe("old\n");
    await append("rest\n");
    await writeFile(`${path}.tmp`, toLog([Buffer.from("new\n")]));
    await rename(`${path}.tmp`, path);
    expect([await take(reader), await take(reader)]).toEqual(["rest\n", "new\n"]);
  });

  it("ends when it is closed while it waits", async () => {
    await append("");
    const reader = await ConsoleReader.open({
      path,
      replayBytes: 0,
      hasEnded: async () => false,
      signal: closing.signal,
    });
    const next = reader.next();
    closing.abort();
    expect(await next).toMatchObject({ done: true });
  });

  it("ends in peace when it is closed in the middle of a read", async () => {
    await append("");
    for (let turn = 0; turn < 50; turn += 1) {
      const ending = new AbortController();
      const options = { path, replayBytes: 0, hasEnded: async () => false, signal: ending.signal };
      const reader = await ConsoleReader.open(options);
      const next = reader.next();
      ending.abort();
      // As closing a console does, while its output is still being read.
      expect(await Promise.all([next, reader.next()])).toMatchObject([{ done: true }, { done: true }]);
    }
  });

  it("closes its file when it is closed, also when nobody reads on", async () => {
    await append("one\n");
    await ConsoleReader.open({ path, replayBytes: 10, hasEnded: async () => false, signal: closing.signal });
    expect(await filesOpen()).toEqual([path]);
    closing.abort();
    await expect.poll(filesOpen).toEqual([]);
    await ConsoleReader.open({ path, replayBytes: 10, hasEnded: async () => false, signal: closing.signal });
    await expect.poll(filesOpen).toEqual([]);
  });
});

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FrameReader, toFrame, toFrames } from "../../../../agent/pump/protocol/frames.js";
import { History } from "../../../../agent/pump/protocol/history.js";
import { HistoryFile, readHistory } from "../../../../agent/pump/protocol/history-file.js";

const keptBytes = 1024;
const bounds = { keptBytes };
const textOf = (history: History, from = 0) => Buffer.concat(history.from(from).map(({ data }) => data)).toString();

describe("a history", () => {
  it("tells what came when, and joins what came together", () => {
    const history = new History("1", bounds);
    history.append(Buffer.from("a"), 1000);
    history.append(Buffer.from("b"), 1050);
    history.append(Buffer.from("c"), 2000);
    const told = history.from(1).map(({ at, timeMs, data }) => [at, timeMs, data.toString()]);
    expect(told).toEqual([
      [1, 1000, "b"],
      [2, 2000, "c"],
    ]);
  });

  it("keeps what it is to keep, and more only for a reader that is behind, within bounds", () => {
    const history = new History("1", { keptBytes, maxBytes: 4 * keptBytes });
    const say = (readFrom?: number) => history.append(Buffer.alloc(keptBytes / 2, "x"), 0, readFrom);
    for (let count = 0; count < 20; count += 1) say();
    expect(history.end - history.begin).toBeLessThanOrEqual(2 * keptBytes);
    const { end } = history;
    for (let count = 0; count < 4; count += 1) say(end);
    expect(history.begin).toBeLessThanOrEqual(end);
    for (let count = 0; count < 40; count += 1) say(end);
    expect(history.end - history.begin).toBeLessThanOrEqual(5 * keptBytes);
  });

  it("bounds its pieces, however few bytes come at a time", () => {
    const history = new History("1", { keptBytes: 1024 * 1024 });
    for (let count = 0; count < 10_000; count += 1) history.append(Buffer.from("x"), count * 1000);
    expect(history.from(0).length).toBeLessThanOrEqual(2048);
    expect(textOf(history)).toBe("x".repeat(10_000));
  });

  it("takes what is new of what it is told twice, and leaves gaps where something is missing", () => {
    const history = new History("1", bounds);
    history.take({ at: 0, timeMs: 0, data: Buffer.from("one") });
    expect(history.take({ at: 0, timeMs: 0, data: Buffer.from("one two") }).toString()).toBe(" two");
    history.take({ at: 100, timeMs: 0, data: Buffer.from("end") });
    expect([textOf(history), textOf(history, 7), history.end]).toEqual(["one twoend", "end", 103]);
  });
});

describe("the file of a history", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zt-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it("holds what is kept with when it came, bounded, and is read again", async () => {
    const path = join(directory, "console.log");
    const history = new History("0123456789abcdef", bounds);
    const file = new HistoryFile(path, history, keptBytes);
    for (let round = 0; round < 40; round += 1) {
      history.append(Buffer.alloc(keptBytes / 4, 65 + round), round * 1000);
      file.changed();
      await file.flush();
      expect((await stat(path)).size).toBeLessThan(6 * keptBytes);
    }
    const again = await readHistory(path, bounds);
    expect([again.log, again.end, textOf(again)]).toEqual([history.log, history.end, textOf(history)]);
    expect(again.from(0).at(-1)?.timeMs).toBe(39_000);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("is read as far as it is whole, and as plain output when an earlier version wrote it", async () => {
    const path = join(directory, "console.log");
    expect(textOf(await readHistory(path, bounds))).toBe("");
    await writeFile(path, "old words\n");
    const old = await readHistory(path, bounds);
    expect(textOf(old)).toBe("old words\n");
    const file = new HistoryFile(path, old, keptBytes);
    old.append(Buffer.from("new words"), Date.now() + 1000);
    await file.flush();
    expect(textOf(await readHistory(path, bounds))).toBe("old words\nnew words");
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, content.length - 3));
    expect(textOf(await readHistory(path, bounds))).toBe("old words\n");
  });

  it("survives a disk that cannot be written, and is written anew when it can be", async () => {
    const history = new History("0123456789abcdef", bounds);
    const broken = new HistoryFile(join(directory, "no", "such", "console.log"), history, keptBytes);
    history.append(Buffer.from("still here"), 0);
    await broken.flush();
    expect(textOf(history)).toBe("still here");
  });
});

it("frames come together again, however they are cut, and what is none is refused", () => {
  const data = Buffer.alloc(100_000, "x");
  const bytes = Buffer.concat([
    toFrame({ type: "opened", log: "abc", at: 7 }),
    ...toFrames({ at: 7, timeMs: 1.5, data }),
    toFrame({ type: "closed", reason: "over" }),
  ]);
  const reader = new FrameReader();
  const found = [];
  for (let at = 0; at < bytes.length; at += 999) found.push(...reader.push(bytes.subarray(at, at + 999)));
  const pieces = found.flatMap((frame) => (frame.type === "piece" ? [frame] : []));
  expect(found[0]).toEqual({ type: "opened", log: "abc", at: 7 });
  expect(found.at(-1)).toEqual({ type: "closed", reason: "over" });
  expect(Buffer.concat(pieces.map((piece) => piece.data)).equals(data)).toBe(true);
  expect(pieces.map(({ at }) => at)).toEqual([7, 7 + 65_536]);
  expect(() => new FrameReader().push(Buffer.alloc(64, 255))).toThrow("too long");
});
